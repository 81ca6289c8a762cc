package wire

import (
	"cmp"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// api is one line of the table that drives ApiVersions, the version gate, the structural walk and the dispatch.
type api struct {
	key      int16
	name     string
	min, max int16 // advertised
	serve    int16 // lowest version answered; below it the connection is closed
	legacy   bool  // with Config.Legacy all versions are advertised and answered
	shape    shape // of the request's body
	handle   func(*request) kmsg.Response
	bulk     bool // elements cost more
	weight   int  // bytes that an element costs at most, with its part of the answer
	early    bool // is served before the client has logged in
	needs    []need
}

// elements is how many array elements a request of a in a frame of n bytes may have: so many that it costs no more than
// 16 times its size and 1 MiB. No client is known that asks for nearly as much at once.
func (a *api) elements(n int) int {
	most := (16*n + 1<<20) / a.weight
	if a.bulk {
		return min(most, maxBulk)
	}
	return min(most, maxElements)
}

// apis is the table by key; keys that are not served are nil.
var apis = map[int16]*api{}

func init() {
	for _, a := range table() {
		a.serve, a.needs, a.weight = max(a.serve, a.min), needs[a.key], cmp.Or(weights[a.key], usualWeight)
		apis[a.key] = &a
	}
}

// usualWeight is the weight of elements that are not among weights.
const usualWeight = 700

// weights are those of elements that cost more, or are many in requests of clients that mean well.
var weights = map[int16]int{
	int16(kmsg.Fetch):                     800,
	int16(kmsg.ListOffsets):               380,
	int16(kmsg.OffsetCommit):              380,
	int16(kmsg.OffsetFetch):               500,
	int16(kmsg.AddPartitionsToTxn):        400,
	int16(kmsg.TxnOffsetCommit):           600,
	int16(kmsg.OffsetForLeaderEpoch):      500,
	int16(kmsg.CreateTopics):              1300,
	int16(kmsg.CreatePartitions):          1100,
	int16(kmsg.AlterConfigs):              1000,
	int16(kmsg.IncrementalAlterConfigs):   1000,
	int16(kmsg.DescribeConfigs):           900,
	int16(kmsg.DescribeGroups):            850,
	int16(kmsg.CreateACLs):                800,
	int16(kmsg.AlterClientQuotas):         800,
	int16(kmsg.AlterPartitionAssignments): 800,
	int16(kmsg.DescribeTopicPartitions):   950,
	int16(kmsg.AlterUserSCRAMCredentials): 2400,
	int16(kmsg.DeleteRecords):             400,
}

// lowest returns the lowest version of a that s advertises, and the lowest it answers.
func (s *Server) lowest(a *api) (advertised, answered int16) {
	if a.legacy && s.cfg.Legacy {
		return 0, 0
	}
	return a.min, a.serve
}

// table lists what is served. Minima matter as much as maxima: clients of some libraries switch features off, or stop,
// when the range does not begin where they expect it. Produce 0 to 2 is in the range for that reason alone.
func table() []api {
	return []api{
		{key: 0, name: "Produce", min: 0, max: 13, serve: 3, legacy: true, shape: mustShape(produceShape), handle: produce, bulk: true},
		{key: 1, name: "Fetch", min: 4, max: 18, legacy: true, shape: mustShape(fetchShape), handle: fetch, bulk: true},
		{key: 2, name: "ListOffsets", min: 0, max: 11, shape: mustShape(listOffsetsShape), handle: listOffsets},
		{key: 3, name: "Metadata", min: 0, max: 13, shape: mustShape(metadataShape), handle: metadata},
		{key: 8, name: "OffsetCommit", min: 0, max: 10, shape: mustShape(offsetCommitShape), handle: offsetCommit},
		{key: 9, name: "OffsetFetch", min: 0, max: 10, shape: mustShape(offsetFetchShape), handle: offsetFetch},
		{key: 10, name: "FindCoordinator", min: 0, max: 6, shape: mustShape(findCoordinatorShape), handle: findCoordinator},
		{key: 11, name: "JoinGroup", min: 0, max: 9, shape: mustShape(joinGroupShape), handle: joinGroup},
		{key: 12, name: "Heartbeat", min: 0, max: 4, shape: mustShape(heartbeatShape), handle: heartbeat},
		{key: 13, name: "LeaveGroup", min: 0, max: 5, shape: mustShape(leaveGroupShape), handle: leaveGroup},
		{key: 14, name: "SyncGroup", min: 0, max: 5, shape: mustShape(syncGroupShape), handle: syncGroup},
		{key: 15, name: "DescribeGroups", min: 0, max: 6, shape: mustShape(describeGroupsShape), handle: describeGroups},
		{key: 16, name: "ListGroups", min: 0, max: 5, shape: mustShape(listGroupsShape), handle: listGroups},
		{key: 17, name: "SASLHandshake", min: 0, max: 1, shape: mustShape(saslHandshakeShape), handle: saslHandshake, early: true},
		{key: 18, name: "ApiVersions", min: 0, max: 5, shape: mustShape(apiVersionsShape), handle: apiVersions, early: true},
		{key: 19, name: "CreateTopics", min: 0, max: 7, shape: mustShape(createTopicsShape), handle: createTopics},
		{key: 20, name: "DeleteTopics", min: 0, max: 6, shape: mustShape(deleteTopicsShape), handle: deleteTopics},
		{key: 21, name: "DeleteRecords", min: 0, max: 2, shape: mustShape(deleteRecordsShape), handle: deleteRecords},
		{key: 22, name: "InitProducerID", min: 0, max: 5, shape: mustShape(initProducerIDShape), handle: initProducerID},
		{key: 23, name: "OffsetForLeaderEpoch", min: 0, max: 4, shape: mustShape(offsetForLeaderEpochShape), handle: offsetForLeaderEpoch},
		{key: 24, name: "AddPartitionsToTxn", min: 0, max: 5, shape: mustShape(addPartitionsToTxnShape), handle: addPartitionsToTxn},
		{key: 25, name: "AddOffsetsToTxn", min: 0, max: 4, shape: mustShape(addOffsetsToTxnShape), handle: addOffsetsToTxn},
		{key: 26, name: "EndTxn", min: 0, max: 5, shape: mustShape(endTxnShape), handle: endTxn},
		{key: 28, name: "TxnOffsetCommit", min: 0, max: 6, shape: mustShape(txnOffsetCommitShape), handle: txnOffsetCommit},
		{key: 29, name: "DescribeACLs", min: 0, max: 3, shape: mustShape(describeACLsShape), handle: describeACLs},
		{key: 30, name: "CreateACLs", min: 0, max: 3, shape: mustShape(createACLsShape), handle: createACLs},
		{key: 31, name: "DeleteACLs", min: 0, max: 3, shape: mustShape(deleteACLsShape), handle: deleteACLs},
		{key: 32, name: "DescribeConfigs", min: 0, max: 4, shape: mustShape(describeConfigsShape), handle: describeConfigs},
		{key: 33, name: "AlterConfigs", min: 0, max: 2, shape: mustShape(alterConfigsShape), handle: alterConfigs},
		{key: 35, name: "DescribeLogDirs", min: 0, max: 5, shape: mustShape(describeLogDirsShape), handle: describeLogDirs},
		{key: 36, name: "SASLAuthenticate", min: 0, max: 2, shape: mustShape(saslAuthenticateShape), handle: saslAuthenticate, early: true},
		{key: 37, name: "CreatePartitions", min: 0, max: 3, shape: mustShape(createPartitionsShape), handle: createPartitions},
		{key: 42, name: "DeleteGroups", min: 0, max: 3, shape: mustShape(deleteGroupsShape), handle: deleteGroups},
		{key: 43, name: "ElectLeaders", min: 0, max: 2, shape: mustShape(electLeadersShape), handle: electLeaders},
		{key: 44, name: "IncrementalAlterConfigs", min: 0, max: 1, shape: mustShape(incrementalAlterConfigsShape), handle: incrementalAlterConfigs},
		{key: 45, name: "AlterPartitionAssignments", min: 0, max: 1, shape: mustShape(alterReassignmentsShape), handle: alterReassignments},
		{key: 46, name: "ListPartitionReassignments", min: 0, max: 0, shape: mustShape(listReassignmentsShape), handle: listReassignments},
		{key: 47, name: "OffsetDelete", min: 0, max: 0, shape: mustShape(offsetDeleteShape), handle: offsetDelete},
		{key: 48, name: "DescribeClientQuotas", min: 0, max: 1, shape: mustShape(describeClientQuotasShape), handle: describeClientQuotas},
		{key: 49, name: "AlterClientQuotas", min: 0, max: 1, shape: mustShape(alterClientQuotasShape), handle: alterClientQuotas},
		{key: 50, name: "DescribeUserSCRAMCredentials", min: 0, max: 0, shape: mustShape(describeUserScramCredentialsShape), handle: describeUserScramCredentials},
		{key: 51, name: "AlterUserSCRAMCredentials", min: 0, max: 0, shape: mustShape(alterUserScramCredentialsShape), handle: alterUserScramCredentials},
		{key: 57, name: "UpdateFeatures", min: 0, max: 2, shape: mustShape(updateFeaturesShape), handle: updateFeatures},
		{key: 60, name: "DescribeCluster", min: 0, max: 2, shape: mustShape(describeClusterShape), handle: describeCluster},
		{key: 61, name: "DescribeProducers", min: 0, max: 0, shape: mustShape(describeProducersShape), handle: describeProducers},
		{key: 65, name: "DescribeTransactions", min: 0, max: 0, shape: mustShape(describeTransactionsShape), handle: describeTransactions},
		{key: 66, name: "ListTransactions", min: 0, max: 2, shape: mustShape(listTransactionsShape), handle: listTransactions},
		{key: 68, name: "ConsumerGroupHeartbeat", min: 0, max: 1, shape: mustShape(consumerGroupHeartbeatShape), handle: consumerGroupHeartbeat},
		{key: 69, name: "ConsumerGroupDescribe", min: 0, max: 1, shape: mustShape(consumerGroupDescribeShape), handle: consumerGroupDescribe},
		{key: 74, name: "ListConfigResources", min: 0, max: 1, shape: mustShape(listConfigResourcesShape), handle: listConfigResources},
		{key: 75, name: "DescribeTopicPartitions", min: 0, max: 0, shape: mustShape(describeTopicPartitionsShape), handle: describeTopicPartitions},
	}
}
