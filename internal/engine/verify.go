package engine

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine/coord"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// Verify reports what does not fit together in a directory on which no engine runs: all that [log.Inspector.Verify] finds in the logs
// and, if that is nothing and the directory was closed, whether topics and transactions are as the logs say. It changes nothing.
func Verify(fs vfs.FS, dir string, report func(log.Problem)) (all log.Verified, err error) {
	i, err := log.Inspect(fs, dir)
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	sound := true
	all, err = i.Verify(func(p log.Problem) {
		sound = false
		report(p)
	})
	if err != nil || !sound || !all.Clean {
		return all, err
	}
	topics, err := meta.Inspect(i)
	if err != nil {
		report(log.Problem{File: "thalweg.metadata", What: err.Error()})
		return all, nil
	}
	found, err := i.List()
	if err != nil {
		return all, err
	}
	verifyTopics(topics, found, report)
	return all, verifyTxns(i, topics, found, report)
}

// verifyTopics compares the topics with the logs.
func verifyTopics(topics []*meta.Topic, found []log.Found, report func(log.Problem)) {
	logs := map[log.ID]string{}
	for _, f := range found {
		logs[f.ID] = f.Name
	}
	for _, t := range topics {
		for n := range t.Partitions {
			name, ok := logs[t.Log(n)]
			want := fmt.Sprintf("%s-%d", t.Name, n)
			switch {
			case !ok:
				report(log.Problem{Log: want, What: fmt.Sprintf("there is no directory %s", t.Log(n))})
			case name != want:
				report(log.Problem{Log: want, What: fmt.Sprintf("the directory %s says that it is of %s", t.Log(n), name)})
			}
			delete(logs, t.Log(n))
		}
	}
	for _, f := range found {
		if _, left := logs[f.ID]; left && !meta.IsStore(f.ID) {
			report(log.Problem{Log: f.String(), What: fmt.Sprintf("the directory %s belongs to no topic: the next start removes it", f.ID)})
		}
	}
}

// verifyTxns looks for transactions that are open in a log, where they hold readers back, and that no coordinator will end.
func verifyTxns(i *log.Inspector, topics []*meta.Topic, found []log.Found, report func(log.Problem)) error {
	there := map[log.ID]bool{}
	for _, f := range found {
		there[f.ID] = true
	}
	known := map[int64]map[coord.TopicPartition]struct{}{}
	for _, t := range topics {
		for n := int32(0); t.Name == meta.TransactionsTopic && n < t.Partitions; n++ {
			open, err := coord.Inspect(i, t.Log(n))
			if err != nil {
				report(log.Problem{Log: fmt.Sprintf("%s-%d", t.Name, n), What: err.Error()})
				return nil
			}
			for id, partitions := range open {
				known[id] = partitions
			}
		}
	}
	for _, t := range topics {
		for n := range t.Partitions {
			if !there[t.Log(n)] {
				continue
			}
			open, err := i.OpenTxns(t.Log(n))
			if err != nil {
				return err
			}
			for id, first := range open {
				if _, ok := known[id][coord.TopicPartition{Topic: t.Name, Partition: n}]; !ok {
					report(log.Problem{Log: fmt.Sprintf("%s-%d", t.Name, n), What: fmt.Sprintf(
						"the transaction of producer %d that begins at offset %d is open, and the coordinator does not know it: it holds back readers of committed records", id, first)})
				}
			}
		}
	}
	return nil
}
