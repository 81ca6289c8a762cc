package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// guarded is testConfig with ACLs and a super user.
func guarded() Config {
	cfg := testConfig()
	cfg.ACLs, cfg.SuperUsers = true, []string{"root"}
	return cfg
}

// as returns a client of a user, whose password is "secret".
func as(t *testing.T, e *Engine, addr, user string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append([]kgo.Opt{
		kgo.SeedBrokers(addr), kgo.Dialer((&net.Dialer{}).DialContext), kgo.SASL(plain.Auth{User: user, Pass: "secret"}.AsMechanism()),
	}, opts...)
	return client(t, e, opts...)
}

// allow adds an ACL through the memory connection.
func allow(t *testing.T, e *Engine, a auth.ACL) {
	t.Helper()
	if a.Pattern == 0 {
		a.Pattern = auth.Literal
	}
	if a.Permission == 0 {
		a.Permission = auth.Allow
	}
	if a.Host == "" {
		a.Host = auth.Wildcard
	}
	req := kmsg.NewPtrCreateACLsRequest()
	c := kmsg.NewCreateACLsRequestCreation()
	c.ResourceType, c.ResourceName, c.ResourcePatternType = kmsg.ACLResourceType(a.Resource), a.Name, kmsg.ACLResourcePatternType(a.Pattern)
	c.Principal, c.Host, c.Operation, c.PermissionType = a.Principal, a.Host, kmsg.ACLOperation(a.Operation), kmsg.ACLPermissionType(a.Permission)
	req.Creations = append(req.Creations, c)
	if got := rawRequest(t, e, req, 3).(*kmsg.CreateACLsResponse).Results[0]; got.ErrorCode != 0 {
		t.Fatal(*got.ErrorMessage)
	}
}

// TestACLsStayAndApplyAtOnce allows and denies on connections that are open, and after a restart.
func TestACLsStayAndApplyAtOnce(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", guarded())
	for _, user := range []string{"ann", "root"} {
		addUser(t, e, user, "secret", kadm.ScramSha256)
	}
	createTopic(t, e, "words", 1, nil)
	addr := serveSecurely(t, e, Security{SASL: true})
	ann := as(t, e, addr, "ann", kgo.MetadataMinAge(10*time.Millisecond))
	write := func() error {
		return ann.ProduceSync(testContext(t), &kgo.Record{Topic: "words", Value: []byte("w")}).FirstErr()
	}
	if err := write(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("without an ACL: %v", err)
	}
	allow(t, e, auth.ACL{Resource: auth.Topic, Name: "wor", Pattern: auth.Prefixed, Principal: "User:ann", Operation: auth.Write})
	ann.PurgeTopicsFromClient("words") // it remembers for some time that it could not
	if err := write(); err != nil {
		t.Errorf("with an ACL: %v", err)
	}
	allow(t, e, auth.ACL{Resource: auth.Topic, Name: "words", Principal: "User:*", Host: "127.0.0.1", Operation: auth.Write, Permission: auth.Deny})
	if err := write(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("with another that denies: %v", err)
	}
	root := kadm.NewClient(as(t, e, addr, "root"))
	deny := kadm.NewACLs().Topics("words").ResourcePatternType(kadm.ACLPatternLiteral).Deny("User:*").DenyHosts("127.0.0.1").Operations(kadm.OpWrite)
	deleted, err := root.DeleteACLs(testContext(t), deny)
	if err != nil || len(deleted) != 1 || len(deleted[0].Deleted) != 1 {
		t.Fatalf("deleting: %+v, %v", deleted, err)
	}
	if err := write(); err != nil {
		t.Errorf("without it: %v", err)
	}
	produce(t, as(t, e, addr, "root"), "words", 10) // whom nothing was allowed

	closeEngine(t, e)
	e = openAt(t, fs, "data", guarded())
	addr = serveSecurely(t, e, Security{SASL: true})
	produce(t, as(t, e, addr, "ann"), "words", 10)
	described, err := kadm.NewClient(client(t, e)).DescribeACLs(testContext(t), kadm.NewACLs().AnyResource().ResourcePatternType(kadm.ACLPatternAny).Allow().AllowHosts().Deny().DenyHosts().Operations())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range described {
		n += len(d.Described)
	}
	if n != 1 || e.Stats().ACLs != 1 {
		t.Errorf("after a restart there are %+v", described)
	}
}

// refusedRequests are requests of a client that may do nothing, with the codes of all their answers' parts. Numbers are
// versions.
func refusedRequests(topic [16]byte) map[int16]struct {
	version int16
	request kmsg.Request
	want    []code.Code
} {
	const topicCode, group, cluster, txn = code.TopicAuthorizationFailed, code.GroupAuthorizationFailed, code.ClusterAuthorizationFailed, code.TransactionalIDAuthorizationFailed
	words, g, x := "words", "g", "x"
	commit := kmsg.OffsetCommitRequestTopic{Topic: words, Partitions: make([]kmsg.OffsetCommitRequestTopicPartition, 1)}
	txnCommit := kmsg.TxnOffsetCommitRequestTopic{Topic: words, Partitions: make([]kmsg.TxnOffsetCommitRequestTopicPartition, 1)}
	config := kmsg.ConfigResourceTypeTopic
	broker := kmsg.ConfigResourceTypeBroker
	type refusal = struct {
		version int16
		request kmsg.Request
		want    []code.Code
	}
	one := func(version int16, r kmsg.Request, want ...code.Code) refusal { return refusal{version, r, want} }
	return map[int16]refusal{
		0:  one(9, &kmsg.ProduceRequest{Acks: 1, Topics: []kmsg.ProduceRequestTopic{{Topic: words, Partitions: make([]kmsg.ProduceRequestTopicPartition, 1)}}}, topicCode),
		1:  one(13, &kmsg.FetchRequest{ReplicaID: -1, SessionEpoch: -1, Topics: []kmsg.FetchRequestTopic{{TopicID: topic, Partitions: make([]kmsg.FetchRequestTopicPartition, 1)}}}, topicCode),
		2:  one(7, &kmsg.ListOffsetsRequest{Topics: []kmsg.ListOffsetsRequestTopic{{Topic: words, Partitions: make([]kmsg.ListOffsetsRequestTopicPartition, 1)}}}, topicCode),
		3:  one(12, &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{{Topic: &words}, {TopicID: topic}}}, topicCode, topicCode),
		8:  one(8, &kmsg.OffsetCommitRequest{Group: g, Topics: []kmsg.OffsetCommitRequestTopic{commit}}, group),
		9:  one(8, &kmsg.OffsetFetchRequest{Groups: []kmsg.OffsetFetchRequestGroup{{Group: g}}}, group),
		10: one(4, &kmsg.FindCoordinatorRequest{CoordinatorKeys: []string{g}}, group),
		11: one(9, &kmsg.JoinGroupRequest{Group: g, ProtocolType: "consumer"}, group),
		12: one(4, &kmsg.HeartbeatRequest{Group: g}, group),
		13: one(5, &kmsg.LeaveGroupRequest{Group: g}, group),
		14: one(5, &kmsg.SyncGroupRequest{Group: g}, group),
		15: one(5, &kmsg.DescribeGroupsRequest{Groups: []string{g}}, group),
		16: one(5, &kmsg.ListGroupsRequest{}, code.None),
		19: one(7, &kmsg.CreateTopicsRequest{Topics: []kmsg.CreateTopicsRequestTopic{{Topic: "new", NumPartitions: 1, ReplicationFactor: 1}}}, topicCode),
		20: one(6, &kmsg.DeleteTopicsRequest{Topics: []kmsg.DeleteTopicsRequestTopic{{Topic: &words}, {TopicID: topic}}}, topicCode, topicCode),
		21: one(2, &kmsg.DeleteRecordsRequest{Topics: []kmsg.DeleteRecordsRequestTopic{{Topic: words, Partitions: make([]kmsg.DeleteRecordsRequestTopicPartition, 1)}}}, topicCode),
		22: one(4, &kmsg.InitProducerIDRequest{TransactionalID: &x}, txn),
		23: one(4, &kmsg.OffsetForLeaderEpochRequest{Topics: []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: words, Partitions: make([]kmsg.OffsetForLeaderEpochRequestTopicPartition, 1)}}}, topicCode),
		24: one(3, &kmsg.AddPartitionsToTxnRequest{TransactionalID: x, Topics: []kmsg.AddPartitionsToTxnRequestTopic{{Topic: words, Partitions: []int32{0}}}}, txn),
		25: one(3, &kmsg.AddOffsetsToTxnRequest{TransactionalID: x, Group: g}, txn),
		26: one(4, &kmsg.EndTxnRequest{TransactionalID: x}, txn),
		28: one(5, &kmsg.TxnOffsetCommitRequest{TransactionalID: x, Group: g, Topics: []kmsg.TxnOffsetCommitRequestTopic{txnCommit}}, txn),
		29: one(3, &kmsg.DescribeACLsRequest{ResourceType: 1, ResourcePatternType: 1, Operation: 1, PermissionType: 1}, cluster),
		30: one(3, &kmsg.CreateACLsRequest{Creations: []kmsg.CreateACLsRequestCreation{{ResourceType: 2, ResourceName: "*", ResourcePatternType: 3, Principal: "User:ann", Host: "*", Operation: 2, PermissionType: 3}}}, cluster),
		31: one(3, &kmsg.DeleteACLsRequest{Filters: []kmsg.DeleteACLsRequestFilter{{ResourceType: 1, ResourcePatternType: 1, Operation: 1, PermissionType: 1}}}, cluster),
		32: one(4, &kmsg.DescribeConfigsRequest{Resources: []kmsg.DescribeConfigsRequestResource{{ResourceType: config, ResourceName: words}, {ResourceType: broker, ResourceName: "1"}}}, topicCode, cluster),
		33: one(2, &kmsg.AlterConfigsRequest{Resources: []kmsg.AlterConfigsRequestResource{{ResourceType: config, ResourceName: words}, {ResourceType: broker, ResourceName: "1"}}}, topicCode, cluster),
		37: one(3, &kmsg.CreatePartitionsRequest{Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: words, Count: 9}}}, topicCode),
		42: one(2, &kmsg.DeleteGroupsRequest{Groups: []string{g}}, group),
		44: one(1, &kmsg.IncrementalAlterConfigsRequest{Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: config, ResourceName: words}, {ResourceType: broker, ResourceName: "1"}}}, topicCode, cluster),
		47: one(0, &kmsg.OffsetDeleteRequest{Group: g}, group),
		50: one(0, &kmsg.DescribeUserSCRAMCredentialsRequest{}, cluster),
		51: one(0, &kmsg.AlterUserSCRAMCredentialsRequest{Upsertions: []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{upsertion("root")}}, cluster),
		60: one(0, &kmsg.DescribeClusterRequest{IncludeClusterAuthorizedOperations: true}, code.None),
		61: one(0, &kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{{Topic: words, Partitions: []int32{0}}}}, topicCode),
		65: one(0, &kmsg.DescribeTransactionsRequest{TransactionalIDs: []string{x}}, txn),
		66: one(0, &kmsg.ListTransactionsRequest{}, code.None),
		75: one(0, &kmsg.DescribeTopicPartitionsRequest{Topics: []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: words}}, ResponsePartitionLimit: 9}, topicCode),
	}
}

// codesOf returns the error codes in a response, but for those that are none beside others.
func codesOf(resp kmsg.Response) (all []code.Code) {
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.Name == "ErrorCode" && v.Field(i).Int() != 0 {
					all = append(all, code.Code(v.Field(i).Int()))
				} else if f.IsExported() {
					walk(v.Field(i))
				}
			}
		}
	}
	walk(reflect.ValueOf(resp))
	if all == nil {
		return []code.Code{code.None}
	}
	return all
}

// login returns a connection on which a user has logged in.
func login(t *testing.T, dial func(ctx context.Context, network, addr string) (net.Conn, error), user string) *rawConn {
	t.Helper()
	c := dialRaw(t, dial)
	if resp := authenticate(c, "PLAIN", "\x00"+user+"\x00secret"); resp.ErrorCode != 0 {
		t.Fatal(*resp.ErrorMessage)
	}
	return c
}

// TestEveryAPIRefuses sends each API that is served a request of a user who may do nothing, and checks Kafka's own codes;
// nothing may have happened, and the super user is refused nothing.
func TestEveryAPIRefuses(t *testing.T) {
	e := open(t, guarded())
	addUser(t, e, "ann", "secret", kadm.ScramSha256)
	addUser(t, e, "root", "secret", kadm.ScramSha256)
	createTopic(t, e, "words", 1, nil)
	topic := e.meta.Topic("words").ID
	commitOffsets(t, e, "g", "words")
	dial := serveInMemory(t, e)
	ann, root := login(t, dial, "ann"), login(t, dial, "root")
	before := e.Stats()
	versions := kmsg.NewPtrApiVersionsRequest()
	ann.request(versions, 0, 1)
	for _, k := range ann.response(versions).(*kmsg.ApiVersionsResponse).ApiKeys {
		r, ok := refusedRequests(topic)[k.ApiKey]
		switch {
		case slices.Contains([]int16{17, 18, 36}, k.ApiKey):
			continue
		case !ok:
			t.Errorf("api %d has no request here", k.ApiKey)
			continue
		}
		ann.request(r.request, r.version, 1)
		resp := ann.response(r.request)
		if got := codesOf(resp); !slices.Equal(got, r.want) {
			t.Errorf("api %d: %v, want %v", k.ApiKey, got, r.want)
		}
		switch resp := resp.(type) {
		case *kmsg.ListGroupsResponse:
			if len(resp.Groups) != 0 {
				t.Errorf("groups that may not be described are listed: %+v", resp.Groups)
			}
		case *kmsg.DescribeClusterResponse:
			if resp.ClusterAuthorizedOperations != 0 {
				t.Errorf("operations on the cluster: %b", resp.ClusterAuthorizedOperations)
			}
		}
	}
	if after := e.Stats(); after.Topics != before.Topics || after.Users != before.Users || after.ACLs != 0 || after.Groups != before.Groups {
		t.Errorf("what was refused happened: %+v, before %+v", after, before)
	}
	for key, r := range refusedRequests(topic) {
		if slices.Contains([]int16{11, 20, 42}, key) { // which would wait, or take what others ask for
			continue
		}
		root.request(r.request, r.version, 1)
		for _, c := range codesOf(root.response(r.request)) {
			switch c {
			case code.TopicAuthorizationFailed, code.GroupAuthorizationFailed, code.ClusterAuthorizationFailed, code.TransactionalIDAuthorizationFailed:
				t.Errorf("api %d refuses a super user: %v", key, c)
			}
		}
	}
}

// commitOffsets commits an offset of a group.
func commitOffsets(t *testing.T, e *Engine, group, topic string) {
	t.Helper()
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: topic, Partition: 0, At: 1, LeaderEpoch: -1})
	if err := kadm.NewClient(client(t, e)).CommitAllOffsets(testContext(t), group, o); err != nil {
		t.Fatal(err)
	}
}

// TestHiddenTopics checks what a user is told of topics who may describe one of two.
func TestHiddenTopics(t *testing.T) {
	e := open(t, guarded())
	addUser(t, e, "ann", "secret", kadm.ScramSha256)
	for _, topic := range []string{"seen", "hidden"} {
		createTopic(t, e, topic, 1, nil)
		commitOffsets(t, e, "g", topic)
		commitOffsets(t, e, "other", topic)
	}
	allow(t, e, auth.ACL{Resource: auth.Topic, Name: "seen", Principal: "User:ann", Operation: auth.Read})
	allow(t, e, auth.ACL{Resource: auth.Group, Name: "g", Principal: "User:ann", Operation: auth.Read})
	adm := kadm.NewClient(as(t, e, serveSecurely(t, e, Security{SASL: true}), "ann"))
	topics, err := adm.ListTopicsWithInternal(testContext(t))
	if err != nil || len(topics) != 1 || !topics.Has("seen") {
		t.Errorf("topics: %v, %v", topics.Names(), err)
	}
	groups, err := adm.ListGroups(testContext(t))
	if err != nil || fmt.Sprint(groups.Groups()) != "[g]" {
		t.Errorf("groups: %v, %v", groups.Groups(), err)
	}
	offsets, err := adm.FetchOffsets(testContext(t), "g")
	if err != nil || len(offsets) != 1 || len(offsets["seen"]) != 1 {
		t.Errorf("offsets: %+v, %v", offsets, err)
	}
	c := login(t, serveInMemory(t, e), "ann")
	for _, version := range []int16{1, 7, 9} {
		req := &kmsg.OffsetFetchRequest{Group: "g", Topics: []kmsg.OffsetFetchRequestTopic{{Topic: "hidden", Partitions: []int32{0}}, {Topic: "seen", Partitions: []int32{0}}}}
		req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "hidden", Partitions: []int32{0}}, {Topic: "seen", Partitions: []int32{0}}}}}
		c.request(req, version, 1)
		if got := codesOf(c.response(req)); !slices.Equal(got, []code.Code{code.TopicAuthorizationFailed}) {
			t.Errorf("version %d of offsets by name: %v", version, got)
		}
	}
}

// TestAuthorizedOperations checks the operations that are told to who asks for them.
func TestAuthorizedOperations(t *testing.T) {
	e := open(t, guarded())
	addUser(t, e, "ann", "secret", kadm.ScramSha256)
	createTopic(t, e, "words", 1, nil)
	allow(t, e, auth.ACL{Resource: auth.Topic, Name: "*", Principal: "User:*", Operation: auth.Read})
	allow(t, e, auth.ACL{Resource: auth.Group, Name: "g", Principal: "User:ann", Operation: auth.All})
	allow(t, e, auth.ACL{Resource: auth.Cluster, Name: auth.ClusterName, Principal: "User:ann", Operation: auth.Alter})
	words := "words"
	metadata := &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{{Topic: &words}}, IncludeTopicAuthorizedOperations: true, IncludeClusterAuthorizedOperations: true}
	groups := &kmsg.DescribeGroupsRequest{Groups: []string{"g"}, IncludeAuthorizedOperations: true}
	ask := func(c *rawConn) (topic, group, cluster int32) {
		c.request(metadata, 10, 1)
		m := c.response(metadata).(*kmsg.MetadataResponse)
		c.request(groups, 5, 1)
		return m.Topics[0].AuthorizedOperations, c.response(groups).(*kmsg.DescribeGroupsResponse).Groups[0].AuthorizedOperations, m.AuthorizedOperations
	}
	bits := func(ops ...auth.Operation) (b int32) {
		for _, op := range ops {
			b |= 1 << op
		}
		return b
	}
	topic, group, cluster := ask(login(t, serveInMemory(t, e), "ann"))
	if want := bits(auth.Read, auth.Describe); topic != want {
		t.Errorf("topic %b, want %b", topic, want)
	}
	if want := bits(auth.Read, auth.Delete, auth.Describe, auth.DescribeConfigs, auth.AlterConfigs); group != want {
		t.Errorf("group %b, want %b", group, want)
	}
	if want := bits(auth.Alter, auth.Describe); cluster != want {
		t.Errorf("cluster %b, want %b", cluster, want)
	}
	topic, _, cluster = ask(rawDial(t, e))
	if topic != int32(auth.Topic.Supported()) || cluster != int32(auth.Cluster.Supported()) {
		t.Errorf("clients of this process: topic %b, cluster %b", topic, cluster)
	}
}

// TestIdempotentWrite lets a producer be idempotent who may write to a topic (KIP-679), and no other.
func TestIdempotentWrite(t *testing.T) {
	e := open(t, guarded())
	addUser(t, e, "ann", "secret", kadm.ScramSha256)
	c := login(t, serveInMemory(t, e), "ann")
	init := func() code.Code {
		req := &kmsg.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1}
		c.request(req, 4, 1)
		return codesOf(c.response(req))[0]
	}
	if got := init(); got != code.ClusterAuthorizationFailed {
		t.Errorf("without an ACL: %v", got)
	}
	write := auth.ACL{Resource: auth.Topic, Name: "w", Pattern: auth.Prefixed, Principal: "User:ann", Operation: auth.Write}
	allow(t, e, write)
	if got := init(); got != code.None {
		t.Errorf("who may write to a topic: %v", got)
	}
	write.Permission = auth.Deny
	allow(t, e, write)
	if got := init(); got != code.ClusterAuthorizationFailed {
		t.Errorf("who is denied it, too: %v", got)
	}
	allow(t, e, auth.ACL{Resource: auth.Cluster, Name: auth.ClusterName, Principal: "User:ann", Operation: auth.IdempotentWrite})
	if got := init(); got != code.None {
		t.Errorf("who may be idempotent: %v", got)
	}
}

// TestCreateACLsRefuses goes through what is wrong with an ACL.
func TestCreateACLsRefuses(t *testing.T) {
	e := open(t, testConfig())
	type creation = kmsg.CreateACLsRequestCreation
	for name, test := range map[string]struct {
		change func(*creation)
		want   code.Code
	}{
		"nothing wrong":         {func(*creation) {}, code.None},
		"nothing wrong, again":  {func(*creation) {}, code.None},
		"any resource":          {func(c *creation) { c.ResourceType = 1 }, code.InvalidRequest},
		"delegation token":      {func(c *creation) { c.ResourceType = 6 }, code.InvalidRequest},
		"no name":               {func(c *creation) { c.ResourceName = "" }, code.InvalidRequest},
		"any pattern":           {func(c *creation) { c.ResourcePatternType = 1 }, code.InvalidRequest},
		"match pattern":         {func(c *creation) { c.ResourcePatternType = 2 }, code.InvalidRequest},
		"principal of no type":  {func(c *creation) { c.Principal = "ann" }, code.InvalidRequest},
		"principal, no name":    {func(c *creation) { c.Principal = "User:" }, code.InvalidRequest},
		"no host":               {func(c *creation) { c.Host = "" }, code.InvalidRequest},
		"not UTF-8":             {func(c *creation) { c.ResourceName = "\xff" }, code.InvalidRequest},
		"any operation":         {func(c *creation) { c.Operation = 1 }, code.InvalidRequest},
		"not of a topic":        {func(c *creation) { c.Operation = kmsg.ACLOperationClusterAction }, code.InvalidRequest},
		"any permission":        {func(c *creation) { c.PermissionType = 1 }, code.InvalidRequest},
		"another cluster":       {func(c *creation) { c.ResourceType = kmsg.ACLResourceTypeCluster }, code.InvalidRequest},
		"the cluster":           {func(c *creation) { c.ResourceType, c.ResourceName, c.Operation = 4, "kafka-cluster", 7 }, code.None},
		"a write by a group":    {func(c *creation) { c.ResourceType, c.Operation = 3, 4 }, code.InvalidRequest},
		"all operations":        {func(c *creation) { c.Operation = 2 }, code.None},
		"a read by transaction": {func(c *creation) { c.ResourceType = 5 }, code.InvalidRequest},
	} {
		c := creation{ResourceType: 2, ResourceName: "words", ResourcePatternType: 3, Principal: "User:ann", Host: "*", Operation: 3, PermissionType: 3}
		test.change(&c)
		req := &kmsg.CreateACLsRequest{Creations: []creation{c}}
		if got := codesOf(rawRequest(t, e, req, 3))[0]; got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	if n := e.Stats().ACLs; n != 3 {
		t.Errorf("there are %d ACLs", n)
	}
	filter := kmsg.DeleteACLsRequestFilter{ResourceType: 1, ResourcePatternType: 1, Operation: 1, PermissionType: 0}
	resp := rawRequest(t, e, &kmsg.DeleteACLsRequest{Filters: []kmsg.DeleteACLsRequestFilter{filter}}, 3).(*kmsg.DeleteACLsResponse)
	if got := codesOf(resp)[0]; got != code.InvalidRequest || e.Stats().ACLs != 3 {
		t.Errorf("deleting by a filter of no permission: %v", got)
	}
}
