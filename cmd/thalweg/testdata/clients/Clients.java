import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The Java clients against a server: Clients ADDRESS PROTOCOL, where PROTOCOL is the consumers' group protocol, classic or
 * consumer. It does what clients.py does, and moves the positions of a third group within transactions.
 */
public final class Clients {
    static final String TOPIC = "clients";
    static final int PARTITIONS = 3, PLAIN = 300, ROUNDS = 6, EACH = 20;
    static final Duration PATIENCE = Duration.ofSeconds(60);

    public static void main(String[] args) throws Exception {
        String address = args[0], protocol = args[1];
        Properties base = new Properties();
        base.put("bootstrap.servers", address);
        base.put("key.serializer", StringSerializer.class.getName());
        base.put("value.serializer", StringSerializer.class.getName());
        base.put("key.deserializer", StringDeserializer.class.getName());
        base.put("value.deserializer", StringDeserializer.class.getName());
        try (Admin admin = Admin.create(base)) {
            // The server compresses what is written once more: with its frames of snappy, or of LZ4.
            var codec = Map.of("compression.type", protocol.equals("classic") ? "snappy" : "lz4");
            admin.createTopics(List.of(new NewTopic(TOPIC, PARTITIONS, (short) 1).configs(codec), new NewTopic("copied", PARTITIONS, (short) 1))).all().get();
        }
        Set<String> want = write(base);
        read(with(base, "group.id", "readers", "group.protocol", protocol), want);
        copy(with(base, "group.id", "copiers", "group.protocol", protocol), want);
        new TreeSet<>(want).forEach(System.out::println);
    }

    static Properties with(Properties base, String... pairs) {
        Properties p = new Properties();
        p.putAll(base);
        for (int i = 0; i < pairs.length; i += 2) {
            p.put(pairs[i], pairs[i + 1]);
        }
        return p;
    }

    static Set<String> write(Properties base) throws Exception {
        Set<String> want = new HashSet<>();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(with(base, "compression.type", "zstd"))) {
            for (int i = 0; i < PLAIN; i++) {
                want.add("plain-" + i);
                producer.send(new ProducerRecord<>(TOPIC, "" + i, "plain-" + i));
            }
        }
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(with(base, "transactional.id", "java"))) {
            producer.initTransactions();
            for (int n = 0; n < ROUNDS; n++) {
                producer.beginTransaction();
                for (int i = 0; i < EACH; i++) {
                    String v = "txn-" + n + "-" + i;
                    producer.send(new ProducerRecord<>(TOPIC, v, v));
                    if (n % 2 == 0) {
                        want.add(v);
                    }
                }
                if (n % 2 == 0) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
        }
        return want;
    }

    static KafkaConsumer<String, String> member(Properties p, String topic) {
        KafkaConsumer<String, String> c =
            new KafkaConsumer<>(with(p, "auto.offset.reset", "earliest", "enable.auto.commit", "false", "isolation.level", "read_committed"));
        c.subscribe(List.of(topic));
        return c;
    }

    /** Reads as two members of a group; what they commit is found again. */
    static void read(Properties p, Set<String> want) {
        List<String> seen = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        try (KafkaConsumer<String, String> a = member(p, TOPIC); KafkaConsumer<String, String> b = member(p, TOPIC)) {
            while (!(new HashSet<>(seen).equals(want) && !a.assignment().isEmpty() && !b.assignment().isEmpty())) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException(seen.size() + " of " + want.size() + " values; assigned " + a.assignment() + ", " + b.assignment());
                }
                for (KafkaConsumer<String, String> c : List.of(a, b)) {
                    c.poll(Duration.ofMillis(100)).forEach(r -> seen.add(r.value()));
                    c.commitSync();
                }
            }
            if (seen.size() != want.size()) {
                throw new IllegalStateException(seen.size() + " values, " + want.size() + " of them different");
            }
            Map<TopicPartition, Long> ends = a.endOffsets(parts());
            a.poll(Duration.ofMillis(100));
            b.poll(Duration.ofMillis(100));
            a.commitSync();
            b.commitSync();
            Map<TopicPartition, OffsetAndMetadata> committed = a.committed(new HashSet<>(parts()));
            for (TopicPartition tp : parts()) {
                if (committed.get(tp).offset() != ends.get(tp)) {
                    throw new IllegalStateException("committed " + committed + ", the ends are " + ends);
                }
            }
        }
    }

    static List<TopicPartition> parts() {
        List<TopicPartition> all = new ArrayList<>();
        for (int i = 0; i < PARTITIONS; i++) {
            all.add(new TopicPartition(TOPIC, i));
        }
        return all;
    }

    /** Reads, writes and commits positions in transactions of which every second is taken back and read again. */
    static void copy(Properties p, Set<String> want) {
        List<String> copied = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        try (KafkaConsumer<String, String> in = member(with(p, "max.poll.records", "50"), TOPIC);
            KafkaConsumer<String, String> out = member(with(p, "group.id", "checkers"), "copied");
            KafkaProducer<String, String> producer = new KafkaProducer<>(with(p, "transactional.id", "copier"))) {
            producer.initTransactions();
            Map<TopicPartition, Long> at = new HashMap<>();
            for (int n = 0; copied.size() < want.size(); n++) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException(copied.size() + " of " + want.size() + " values copied");
                }
                Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
                producer.beginTransaction();
                for (var r : in.poll(Duration.ofMillis(100))) {
                    TopicPartition tp = new TopicPartition(r.topic(), r.partition());
                    at.putIfAbsent(tp, r.offset());
                    positions.put(tp, new OffsetAndMetadata(r.offset() + 1));
                    producer.send(new ProducerRecord<>("copied", r.key(), r.value()));
                }
                producer.sendOffsetsToTransaction(positions, in.groupMetadata());
                if (n % 2 == 0) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                    for (TopicPartition tp : positions.keySet()) {
                        in.seek(tp, at.get(tp));
                    }
                }
                at.clear();
                out.poll(Duration.ofMillis(100)).forEach(r -> copied.add(r.value()));
            }
            if (!new HashSet<>(copied).equals(want) || copied.size() != want.size()) {
                throw new IllegalStateException(copied.size() + " values copied, " + want.size() + " wanted");
            }
        }
    }
}
