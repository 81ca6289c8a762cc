"""The other side of TestPython…: what confluent-kafka and fastavro write and read, through a registry or without one.

    python interop.py write URL DIR    writes avro.bin, protobuf.bin, json.bin, of the values below
    python interop.py read URL DIR     reads go-avro.bin, go-protobuf.bin, go-json.bin and prints what is in them, as JSON
    python interop.py client URL       uses the client of the registry and prints what it answers, as JSON
    python interop.py topics BROKERS   makes the topics of examples/enrich
    python interop.py enrich URL BROKERS DIR  writes what examples/enrich reads, and prints what it wrote, as JSON
    python interop.py fastavro FILE    reads cases of schema resolution and prints what fastavro makes of them, as JSON

DIR has the messages of examples/enrich/shop in Python, in the folder shop.
"""

import base64
import datetime
import decimal
import io
import json
import sys
import uuid

import fastavro
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

AVRO = """{"type":"record","name":"Order","namespace":"shop","fields":[
    {"name":"id","type":"long"},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
    {"name":"placed","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"day","type":{"type":"int","logicalType":"date"}},
    {"name":"trace","type":{"type":"string","logicalType":"uuid"}},
    {"name":"note","type":["null","string"],"default":null},
    {"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID"]}},
    {"name":"hash","type":{"type":"fixed","name":"Hash","size":4}},
    {"name":"tags","type":{"type":"map","values":"double"}},
    {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
        {"name":"sku","type":"string"},{"name":"count","type":"int"}]}}}]}"""

JSON = """{"$schema":"http://json-schema.org/draft-07/schema#","title":"Point","type":"object",
    "properties":{"x":{"type":"integer"},"name":{"type":"string"}},"required":["x"],"additionalProperties":false}"""

UTC = datetime.timezone.utc


def context(topic):
    return SerializationContext(topic, MessageField.VALUE)


def order():
    return {
        "id": 1 << 40, "price": decimal.Decimal("-123.45"), "placed": datetime.datetime(2026, 5, 1, 12, 0, 0, 7000, UTC),
        "day": datetime.date(1969, 12, 31), "trace": uuid.UUID("123e4567-e89b-12d3-a456-426614174000"), "note": "größe", "state": "PAID",
        "hash": b"\x01\x02\xfe\xff", "tags": {"a": 0.5}, "items": [{"sku": "s", "count": -3}, {"sku": "", "count": 4}],
    }


def customer(shop):
    c = shop.Customer(name="Ada", points={"x": 3})
    c.address.city = "London"
    c.since.FromSeconds(1234567890)
    return c


def shop(folder):
    sys.path.insert(0, folder)
    from shop import customer_pb2

    return customer_pb2


def write(url, folder):
    client = SchemaRegistryClient({"url": url})
    pb = shop(folder)
    for name, data in {
        "avro": AvroSerializer(client, AVRO)(order(), context("py-avro")),
        "protobuf": ProtobufSerializer(pb.Customer, client)(customer(pb), context("py-protobuf")),
        "json": JSONSerializer(JSON, client)({"x": 7, "name": "größe"}, context("py-json")),
    }.items():
        with open(f"{folder}/{name}.bin", "wb") as f:
            f.write(data)


def read(url, folder):
    client = SchemaRegistryClient({"url": url})
    pb = shop(folder)

    def data(name):
        with open(f"{folder}/go-{name}.bin", "rb") as f:
            return f.read()

    avro = AvroDeserializer(client)(data("avro"), context("go-avro"))
    message = ProtobufDeserializer(pb.Customer, {}, client)(data("protobuf"), context("go-protobuf"))
    point = JSONDeserializer(JSON, schema_registry_client=client)(data("json"), context("go-json"))
    show({"avro": avro == order() or repr(avro), "protobuf": message == customer(pb) or repr(message), "json": point})


def show(x):
    print(json.dumps(x, ensure_ascii=False, sort_keys=True, default=lambda b: {"base64": base64.b64encode(b).decode()}))


def client(url):
    c = SchemaRegistryClient({"url": url})
    first = Schema('{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}', "AVRO")
    second = Schema('{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}', "AVRO")
    broken = Schema('{"type":"record","name":"R","fields":[{"name":"c","type":"int"}]}', "AVRO")
    out = {"register": [c.register_schema("py", first), c.register_schema("py", second)]}
    out["again"] = c.register_schema("py", first)
    out["versions"] = c.get_versions("py")
    out["latest"] = c.get_latest_version("py").version
    out["lookup"] = c.lookup_schema("py", first).version
    out["types"] = sorted(c.get_schema_types())
    out["text"] = json.loads(c.get_schema(out["again"]).schema_str)["name"]
    out["level"] = c.set_compatibility("py", "FULL")["compatibility"]
    out["level again"] = c.get_compatibility("py")
    out["global"] = c.get_compatibility()
    out["compatible"] = [c.test_compatibility("py", first), c.test_compatibility("py", broken)]
    try:
        c.register_schema("py", broken)
    except SchemaRegistryError as e:
        out["refused"] = [e.http_status_code, "field c: it was not written and has no default" in e.error_message]
    out["subjects"] = "py" in c.get_subjects()
    out["of id"] = c.get_subjects_by_schema_id(out["again"])
    out["deleted version"] = c.delete_version("py", 2)
    out["deleted"] = [c.delete_subject("py"), c.delete_subject("py", permanent=True)]
    show(out)


def topics(brokers):
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": brokers})
    made = admin.create_topics([
        NewTopic("orders", 2, 1), NewTopic("shipments", 2, 1), NewTopic("customers", 2, 1, config={"cleanup.policy": "compact"})])
    for f in made.values():
        f.result()


ENRICH = """{"namespace":"shop","type":"record","name":"Order","fields":[
    {"type":"long","name":"id"},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
    {"name":"placed","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"note","type":["null","string"],"default":null},
    {"name":"coupon","type":"string","default":""}]}"""


def enrich(url, brokers, folder):
    from confluent_kafka import Consumer, Producer

    client, pb = SchemaRegistryClient({"url": url}), shop(folder)
    message, avro = ProtobufSerializer(pb.Customer, client), AvroSerializer(client, ENRICH)
    producer = Producer({"bootstrap.servers": brokers})
    for key, name in (("c1", "Ada"), ("c2", "Grace")):
        c = customer(pb)
        c.name = name
        producer.produce("customers", key=key, value=message(c, context("customers")))
    producer.flush()
    placed = datetime.datetime(2026, 5, 1, 12, tzinfo=UTC)
    for i, key in enumerate(("c1", "c2", "c3", "c1")):
        order = {"id": i, "price": decimal.Decimal("19.99"), "placed": placed, "note": None, "coupon": "x"}
        producer.produce("orders", key=key, value=avro(order, context("orders")))
    producer.flush()
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "python", "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
    consumer.subscribe(["shipments"])
    read, out = JSONDeserializer(None, schema_registry_client=client), []
    for _ in range(60):
        m = consumer.poll(1) if len(out) < 3 else None
        if m is not None and m.error() is None:
            out.append(read(m.value(), context("shipments")))
    consumer.close()
    show(sorted(out, key=lambda s: s["order"]))


def resolve(path):
    with open(path) as f:
        cases = json.load(f)
    out = []
    for case in cases:
        writer, reader = fastavro.parse_schema(json.loads(case["writer"])), fastavro.parse_schema(json.loads(case["reader"]))
        try:
            out.append(fastavro.schemaless_reader(io.BytesIO(base64.b64decode(case["data"])), writer, reader))
        except Exception as e:  # any refusal is one
            out.append({"error": type(e).__name__})
    show(out)


if __name__ == "__main__":
    {"write": write, "read": read, "client": client, "topics": topics, "enrich": enrich, "fastavro": resolve}[sys.argv[1]](*sys.argv[2:])
