// Package code has the error codes of the Kafka protocol that the engine answers with.
package code

import "fmt"

// Code is an error code as it stands in a response. It is an error, so that a coordinator can return it; [None] is
// never returned as an error.
type Code int16

// The codes, named as Kafka names them.
const (
	Unknown                            Code = -1
	None                               Code = 0
	OffsetOutOfRange                   Code = 1
	CorruptMessage                     Code = 2
	UnknownTopicOrPartition            Code = 3
	LeaderNotAvailable                 Code = 5
	NotLeaderForPartition              Code = 6
	RequestTimedOut                    Code = 7
	MessageTooLarge                    Code = 10
	OffsetMetadataTooLarge             Code = 12
	CoordinatorNotAvailable            Code = 15
	InvalidTopic                       Code = 17
	NotEnoughReplicas                  Code = 19
	InvalidRequiredAcks                Code = 21
	IllegalGeneration                  Code = 22
	InconsistentGroupProtocol          Code = 23
	InvalidGroupID                     Code = 24
	UnknownMemberID                    Code = 25
	InvalidSessionTimeout              Code = 26
	RebalanceInProgress                Code = 27
	TopicAuthorizationFailed           Code = 29
	GroupAuthorizationFailed           Code = 30
	ClusterAuthorizationFailed         Code = 31
	InvalidTimestamp                   Code = 32
	UnsupportedSASLMechanism           Code = 33
	IllegalSASLState                   Code = 34
	UnsupportedVersion                 Code = 35
	TopicAlreadyExists                 Code = 36
	InvalidPartitions                  Code = 37
	InvalidReplicationFactor           Code = 38
	InvalidReplicaAssignment           Code = 39
	InvalidConfig                      Code = 40
	InvalidRequest                     Code = 42
	PolicyViolation                    Code = 44
	OutOfOrderSequence                 Code = 45
	InvalidProducerEpoch               Code = 47
	InvalidTxnState                    Code = 48
	InvalidProducerIDMapping           Code = 49
	InvalidTransactionTimeout          Code = 50
	ConcurrentTransactions             Code = 51
	TransactionalIDAuthorizationFailed Code = 53
	OperationNotAttempted              Code = 55
	KafkaStorageError                  Code = 56
	SASLAuthenticationFailed           Code = 58
	NonEmptyGroup                      Code = 68
	GroupIDNotFound                    Code = 69
	FetchSessionIDNotFound             Code = 70
	InvalidFetchSessionEpoch           Code = 71
	FencedLeaderEpoch                  Code = 74
	UnknownLeaderEpoch                 Code = 75
	OffsetNotAvailable                 Code = 78
	UnsupportedCompression             Code = 76
	MemberIDRequired                   Code = 79
	GroupMaxSizeReached                Code = 81
	FencedInstanceID                   Code = 82
	ElectionNotNeeded                  Code = 84
	NoReassignmentInProgress           Code = 85
	GroupSubscribedToTopic             Code = 86
	InvalidRecord                      Code = 87
	UnstableOffsetCommit               Code = 88
	ProducerFenced                     Code = 90
	ResourceNotFound                   Code = 91
	DuplicateResource                  Code = 92
	UnacceptableCredential             Code = 93
	InvalidUpdateVersion               Code = 95
	UnknownTopicID                     Code = 100
	InconsistentTopicID                Code = 103
	TransactionalIDNotFound            Code = 105
	FetchSessionTopicIDError           Code = 106
	FencedMemberEpoch                  Code = 110
	UnreleasedInstanceID               Code = 111
	UnsupportedAssignor                Code = 112
	StaleMemberEpoch                   Code = 113
	MismatchedEndpointType             Code = 114
	UnsupportedEndpointType            Code = 115
	TransactionAbortable               Code = 120
	InvalidRegularExpression           Code = 128
	RebootstrapRequired                Code = 129
)

var names = map[Code]string{
	Unknown:                            "UNKNOWN_SERVER_ERROR",
	None:                               "NONE",
	OffsetOutOfRange:                   "OFFSET_OUT_OF_RANGE",
	CorruptMessage:                     "CORRUPT_MESSAGE",
	UnknownTopicOrPartition:            "UNKNOWN_TOPIC_OR_PARTITION",
	LeaderNotAvailable:                 "LEADER_NOT_AVAILABLE",
	NotLeaderForPartition:              "NOT_LEADER_FOR_PARTITION",
	RequestTimedOut:                    "REQUEST_TIMED_OUT",
	MessageTooLarge:                    "MESSAGE_TOO_LARGE",
	OffsetMetadataTooLarge:             "OFFSET_METADATA_TOO_LARGE",
	CoordinatorNotAvailable:            "COORDINATOR_NOT_AVAILABLE",
	InvalidTopic:                       "INVALID_TOPIC_EXCEPTION",
	NotEnoughReplicas:                  "NOT_ENOUGH_REPLICAS",
	InvalidRequiredAcks:                "INVALID_REQUIRED_ACKS",
	IllegalGeneration:                  "ILLEGAL_GENERATION",
	InconsistentGroupProtocol:          "INCONSISTENT_GROUP_PROTOCOL",
	InvalidGroupID:                     "INVALID_GROUP_ID",
	UnknownMemberID:                    "UNKNOWN_MEMBER_ID",
	InvalidSessionTimeout:              "INVALID_SESSION_TIMEOUT",
	RebalanceInProgress:                "REBALANCE_IN_PROGRESS",
	TopicAuthorizationFailed:           "TOPIC_AUTHORIZATION_FAILED",
	GroupAuthorizationFailed:           "GROUP_AUTHORIZATION_FAILED",
	ClusterAuthorizationFailed:         "CLUSTER_AUTHORIZATION_FAILED",
	InvalidTimestamp:                   "INVALID_TIMESTAMP",
	UnsupportedSASLMechanism:           "UNSUPPORTED_SASL_MECHANISM",
	IllegalSASLState:                   "ILLEGAL_SASL_STATE",
	UnsupportedVersion:                 "UNSUPPORTED_VERSION",
	TopicAlreadyExists:                 "TOPIC_ALREADY_EXISTS",
	InvalidPartitions:                  "INVALID_PARTITIONS",
	InvalidReplicationFactor:           "INVALID_REPLICATION_FACTOR",
	InvalidReplicaAssignment:           "INVALID_REPLICA_ASSIGNMENT",
	InvalidConfig:                      "INVALID_CONFIG",
	InvalidRequest:                     "INVALID_REQUEST",
	PolicyViolation:                    "POLICY_VIOLATION",
	OutOfOrderSequence:                 "OUT_OF_ORDER_SEQUENCE_NUMBER",
	InvalidProducerEpoch:               "INVALID_PRODUCER_EPOCH",
	InvalidTxnState:                    "INVALID_TXN_STATE",
	InvalidProducerIDMapping:           "INVALID_PRODUCER_ID_MAPPING",
	InvalidTransactionTimeout:          "INVALID_TRANSACTION_TIMEOUT",
	ConcurrentTransactions:             "CONCURRENT_TRANSACTIONS",
	TransactionalIDAuthorizationFailed: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
	OperationNotAttempted:              "OPERATION_NOT_ATTEMPTED",
	KafkaStorageError:                  "KAFKA_STORAGE_ERROR",
	SASLAuthenticationFailed:           "SASL_AUTHENTICATION_FAILED",
	NonEmptyGroup:                      "NON_EMPTY_GROUP",
	GroupIDNotFound:                    "GROUP_ID_NOT_FOUND",
	FetchSessionIDNotFound:             "FETCH_SESSION_ID_NOT_FOUND",
	InvalidFetchSessionEpoch:           "INVALID_FETCH_SESSION_EPOCH",
	FencedLeaderEpoch:                  "FENCED_LEADER_EPOCH",
	UnknownLeaderEpoch:                 "UNKNOWN_LEADER_EPOCH",
	OffsetNotAvailable:                 "OFFSET_NOT_AVAILABLE",
	UnsupportedCompression:             "UNSUPPORTED_COMPRESSION_TYPE",
	MemberIDRequired:                   "MEMBER_ID_REQUIRED",
	GroupMaxSizeReached:                "GROUP_MAX_SIZE_REACHED",
	FencedInstanceID:                   "FENCED_INSTANCE_ID",
	ElectionNotNeeded:                  "ELECTION_NOT_NEEDED",
	NoReassignmentInProgress:           "NO_REASSIGNMENT_IN_PROGRESS",
	GroupSubscribedToTopic:             "GROUP_SUBSCRIBED_TO_TOPIC",
	InvalidRecord:                      "INVALID_RECORD",
	UnstableOffsetCommit:               "UNSTABLE_OFFSET_COMMIT",
	ProducerFenced:                     "PRODUCER_FENCED",
	ResourceNotFound:                   "RESOURCE_NOT_FOUND",
	DuplicateResource:                  "DUPLICATE_RESOURCE",
	UnacceptableCredential:             "UNACCEPTABLE_CREDENTIAL",
	InvalidUpdateVersion:               "INVALID_UPDATE_VERSION",
	UnknownTopicID:                     "UNKNOWN_TOPIC_ID",
	InconsistentTopicID:                "INCONSISTENT_TOPIC_ID",
	TransactionalIDNotFound:            "TRANSACTIONAL_ID_NOT_FOUND",
	FetchSessionTopicIDError:           "FETCH_SESSION_TOPIC_ID_ERROR",
	FencedMemberEpoch:                  "FENCED_MEMBER_EPOCH",
	UnreleasedInstanceID:               "UNRELEASED_INSTANCE_ID",
	UnsupportedAssignor:                "UNSUPPORTED_ASSIGNOR",
	StaleMemberEpoch:                   "STALE_MEMBER_EPOCH",
	MismatchedEndpointType:             "MISMATCHED_ENDPOINT_TYPE",
	UnsupportedEndpointType:            "UNSUPPORTED_ENDPOINT_TYPE",
	TransactionAbortable:               "TRANSACTION_ABORTABLE",
	InvalidRegularExpression:           "INVALID_REGULAR_EXPRESSION",
	RebootstrapRequired:                "REBOOTSTRAP_REQUIRED",
}

// String returns Kafka's name of c.
func (c Code) String() string {
	if s, ok := names[c]; ok {
		return s
	}
	return fmt.Sprintf("error code %d", int16(c))
}

// Error returns Kafka's name of c.
func (c Code) Error() string { return c.String() }

// Err returns c as an error, nil for None.
func (c Code) Err() error {
	if c == None {
		return nil
	}
	return c
}
