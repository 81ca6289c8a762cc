"""pykafka, whose records are message sets, against a server: old.py ADDRESS VERSION COMMAND TOPIC ...

VERSION is the broker that pykafka is to take the server for: it decides which versions of requests it sends. Commands:

  write TOPIC             writes EACH values with every compression there is, and prints them
  read TOPIC GROUP N      reads N values with a simple consumer, commits, looks whether more come, and prints them
  share TOPIC GROUP N     the same with two consumers of a group that the server manages, each of which must have partitions

Values are printed as key=value, sorted, a line each; anything that is not as it should be is an exception.
"""

import datetime
import sys
import time

from pykafka import KafkaClient
from pykafka.common import CompressionType, OffsetType

EACH, PATIENCE, QUIET = 60, 30, 800  # values, seconds, milliseconds in which nothing comes
CODECS = {"none": CompressionType.NONE, "gzip": CompressionType.GZIP, "snappy": CompressionType.SNAPPY, "lz4": CompressionType.LZ4}
STAMP = datetime.datetime(2020, 1, 2, 3, 4, 5)


def show(pairs):
    print("\n".join(sorted(f"{k.decode()}={v.decode()}" for k, v in pairs)))


def write(topic, timed):
    written = []
    for name, codec in CODECS.items():
        with topic.get_producer(compression=codec, linger_ms=20, delivery_reports=True, required_acks=-1, max_retries=0) as producer:
            for i in range(EACH):
                pair = (f"{name}-{i}".encode(), b"old-" * (i % 20) + str(i).encode())
                producer.produce(pair[1], partition_key=pair[0], **({"timestamp": STAMP} if timed else {}))
                written.append(pair)
            for _ in range(EACH):
                _, failed = producer.get_delivery_report(timeout=PATIENCE)
                if failed:
                    raise failed
    with topic.get_producer(required_acks=0, linger_ms=0) as producer:
        producer.produce(b"unheard", partition_key=b"zero")
        written.append((b"zero", b"unheard"))
    show(written)


def take(consumers, n):
    """Reads n values, by turns, and what comes beyond them. Each consumer's messages come in their order."""
    read, last, deadline = [], {}, time.time() + PATIENCE
    while len(read) < n and time.time() < deadline:
        for c in consumers:
            message = c.consume(block=False)
            while message is not None:
                if message.offset <= last.get(message.partition_id, -1):
                    raise Exception(f"offset {message.offset} after {last[message.partition_id]}")
                last[message.partition_id] = message.offset
                read.append((message.partition_key, message.value))
                message = c.consume(block=False)
        time.sleep(0.02)
    for c in consumers:
        more = c.consume()
        if more is not None:
            raise Exception(f"more than {n} values: {more.value} at {more.offset}")
        c.commit_offsets()
    return read


def read(topic, group, n):
    consumer = topic.get_simple_consumer(consumer_group=group, auto_offset_reset=OffsetType.EARLIEST, consumer_timeout_ms=QUIET)
    show(take([consumer], n))
    consumer.stop()


def share(topic, group, n):
    consumers = [topic.get_balanced_consumer(consumer_group=group, managed=True, auto_offset_reset=OffsetType.EARLIEST,
                                             consumer_timeout_ms=QUIET, heartbeat_interval_ms=300) for _ in range(2)]
    deadline = time.time() + PATIENCE

    def shares():
        return sorted(p.id for c in consumers for p in (c.partitions or {}).values())

    while not (all(c.partitions for c in consumers) and shares() == sorted(topic.partitions)):
        if time.time() > deadline:
            raise Exception(f"the consumers have {[c.partitions for c in consumers]}")
        time.sleep(0.1)
    show(take(consumers, n))
    for c in consumers:
        c.stop()


if __name__ == "__main__":
    address, version, command, name = sys.argv[1:5]
    client = KafkaClient(hosts=address, broker_version=version)  # topics hold it weakly
    topic = client.topics[name.encode()]
    if command == "write":
        write(topic, timed=version > "0.9.0")
    else:
        {"read": read, "share": share}[command](topic, sys.argv[5], int(sys.argv[6]))
