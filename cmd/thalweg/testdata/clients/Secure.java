import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The Java clients as users: Secure ADDRESS TOPIC GROUP FILE... writes to the topic, and reads it as a member of the group, once
 * with the properties of each file, and prints what came of it: FILE WRITTEN READ, each "ok" or the name of an exception.
 */
public final class Secure {
    static final int RECORDS = 5;
    static final Duration PATIENCE = Duration.ofSeconds(20);

    public static void main(String[] args) throws Exception {
        for (String file : List.of(args).subList(3, args.length)) {
            Properties p = new Properties();
            try (Reader r = Files.newBufferedReader(Path.of(file))) {
                p.load(r);
            }
            p.put("bootstrap.servers", args[0]);
            p.put("group.id", args[2]);
            p.put("auto.offset.reset", "earliest");
            String name = Path.of(file).getFileName().toString();
            Set<String> values = new HashSet<>();
            for (int i = 0; i < RECORDS; i++) {
                values.add(name + "-" + i);
            }
            System.out.println(name + " " + write(p, args[1], values) + " " + read(p, args[1], values));
        }
    }

    static String write(Properties p, String topic, Set<String> values) throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            for (String v : values) {
                producer.send(new ProducerRecord<>(topic, v)).get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            }
            return "ok";
        } catch (ExecutionException e) {
            return e.getCause().getClass().getSimpleName();
        }
    }

    static String read(Properties p, String topic, Set<String> values) {
        Set<String> left = new HashSet<>(values);
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (!left.isEmpty()) {
                if (System.nanoTime() > deadline) {
                    return "late";
                }
                consumer.poll(Duration.ofMillis(100)).forEach(r -> left.remove(r.value()));
            }
            return "ok";
        } catch (KafkaException e) {
            return e.getClass().getSimpleName();
        }
    }
}
