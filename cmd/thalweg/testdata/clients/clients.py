"""One Python client against a server: clients.py CLIENT ADDRESS

CLIENT is kafka-python, aiokafka or confluent. Each makes a topic of three partitions, writes to it with idempotence and in
transactions of which every second is taken back, reads what was committed as two members of a group, commits its
positions, and finds them again. Some have the server compress what they write with another codec. It prints the values read, sorted, a line each; anything that is not as it should be is an
exception.
"""

import asyncio
import sys
import time

TOPIC, GROUP, PARTITIONS, PLAIN, ROUNDS, EACH = "clients", "readers", 3, 300, 6, 20
PATIENCE = 60  # seconds


def transactions():
    """Yields whether a transaction commits, and its values."""
    for n in range(ROUNDS):
        yield n % 2 == 0, [f"txn-{n}-{i}".encode() for i in range(EACH)]


def wanted():
    values = {f"plain-{i}".encode() for i in range(PLAIN)}
    for commit, some in transactions():
        if commit:
            values.update(some)
    return values


def finish(seen, committed, ends, behind=None):
    """behind is where the last values end, for a client whose positions do not move over all that was taken back."""
    if len(seen) != len(set(seen)):
        raise Exception(f"{len(seen)} values, {len(set(seen))} of them different")
    for p, end in ends.items():
        if not (behind or ends)[p] <= committed[p] <= end:
            raise Exception(f"committed {committed}, the ends are {ends}, the last values end at {behind}")
    print("\n".join(sorted(v.decode() for v in seen)))


def kafka_python(address):
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import NewTopic

    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic(name=TOPIC, num_partitions=PARTITIONS, replication_factor=1,
                                  topic_configs={"compression.type": "gzip"})])
    producer = KafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True, compression_type="gzip")
    for i in range(PLAIN):
        producer.send(TOPIC, key=str(i).encode(), value=f"plain-{i}".encode(), headers=[("n", b"%d" % i)])
    producer.flush()
    producer.close()
    producer = KafkaProducer(bootstrap_servers=address, transactional_id="kafka-python", enable_idempotence=True)
    producer.init_transactions()
    for commit, values in transactions():
        producer.begin_transaction()
        for v in values:
            producer.send(TOPIC, key=v, value=v)
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()

    def member():
        return KafkaConsumer(TOPIC, bootstrap_servers=address, group_id=GROUP, auto_offset_reset="earliest",
                             enable_auto_commit=False, isolation_level="read_committed")

    members, seen, want, deadline = [member(), member()], [], wanted(), time.time() + PATIENCE
    while (set(seen) != want or not all(m.assignment() for m in members)) and time.time() < deadline:
        for m in members:
            for records in m.poll(timeout_ms=200).values():
                seen.extend(r.value for r in records)
            m.commit()
    parts = [TopicPartition(TOPIC, p) for p in range(PARTITIONS)]
    for m in members:
        m.poll(timeout_ms=200)
        m.commit()
    ends = members[0].end_offsets(parts)
    committed = {p: members[0].committed(p) for p in parts}
    for m in members:
        m.close()
    finish(seen, committed, ends)


async def aio(address):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(name=TOPIC, num_partitions=PARTITIONS, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True, compression_type="gzip") as producer:
        await asyncio.gather(*[await producer.send(TOPIC, f"plain-{i}".encode(), key=str(i).encode(), headers=[("n", b"%d" % i)])
                               for i in range(PLAIN)])
    async with AIOKafkaProducer(bootstrap_servers=address, transactional_id="aiokafka") as producer:
        for commit, values in transactions():
            await producer.begin_transaction()
            for v in values:
                await producer.send(TOPIC, v, key=v)
            if commit:
                await producer.commit_transaction()
            else:
                await producer.abort_transaction()

    members = [AIOKafkaConsumer(TOPIC, bootstrap_servers=address, group_id=GROUP, auto_offset_reset="earliest",
                                enable_auto_commit=False, isolation_level="read_committed") for _ in range(2)]
    await asyncio.gather(*[m.start() for m in members])
    seen, want, deadline = [], wanted(), time.time() + PATIENCE
    while (set(seen) != want or not all(m.assignment() for m in members)) and time.time() < deadline:
        for m in members:
            for records in (await m.getmany(timeout_ms=200)).values():
                seen.extend(r.value for r in records)
            await m.commit()
    for m in members:
        await m.getmany(timeout_ms=200)
        await m.commit()
    parts = [TopicPartition(TOPIC, p) for p in range(PARTITIONS)]
    ends = await members[0].end_offsets(parts)
    committed = {p: await members[0].committed(p) for p in parts}
    for m in members:
        await m.stop()
    finish(seen, committed, ends)


def confluent(address):
    from confluent_kafka import Consumer, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": address})  # lives as long as its futures
    for future in admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, config={"compression.type": "snappy"})]).values():
        future.result()
    failed = []
    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "compression.type": "lz4"})
    for i in range(PLAIN):
        producer.produce(TOPIC, f"plain-{i}".encode(), str(i).encode(), headers=[("n", b"%d" % i)],
                         on_delivery=lambda err, _: err and failed.append(err))
    if producer.flush(PATIENCE) or failed:
        raise Exception(f"not written: {failed}")
    producer = Producer({"bootstrap.servers": address, "transactional.id": "confluent"})
    producer.init_transactions(PATIENCE)
    for commit, values in transactions():
        producer.begin_transaction()
        for v in values:
            producer.produce(TOPIC, v, v)
        if commit:
            producer.commit_transaction(PATIENCE)
        else:
            producer.abort_transaction(PATIENCE)

    members = []
    for _ in range(2):
        m = Consumer({"bootstrap.servers": address, "group.id": GROUP, "auto.offset.reset": "earliest",
                      "enable.auto.commit": False, "isolation.level": "read_committed"})
        m.subscribe([TOPIC])
        members.append(m)
    seen, want, behind, deadline = [], wanted(), {}, time.time() + PATIENCE
    while (set(seen) != want or not all(m.assignment() for m in members)) and time.time() < deadline:
        for m in members:
            got = m.consume(500, 0.2)
            for r in got:
                if r.error():
                    raise Exception(r.error())
                seen.append(r.value())
                behind[r.partition()] = r.offset() + 1
            if got:
                m.commit(asynchronous=False)
    parts = [TopicPartition(TOPIC, p) for p in range(PARTITIONS)]
    ends = {p.partition: members[0].get_watermark_offsets(p)[1] for p in parts}
    committed = {p.partition: p.offset for p in members[0].committed(parts, PATIENCE)}
    for m in members:
        m.close()
    finish(seen, committed, ends, behind)


if __name__ == "__main__":
    client, address = sys.argv[1:]
    {"kafka-python": kafka_python, "aiokafka": lambda a: asyncio.run(aio(a)), "confluent": confluent}[client](address)
