import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

/** Kafka Streams' word count, exactly once: WordCount ADDRESS DIRECTORY. It runs until it is killed. */
public final class WordCount {
    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("state.dir", args[1]);
        p.put("application.id", "words");
        p.put("processing.guarantee", "exactly_once_v2");
        p.put("commit.interval.ms", "100");
        p.put("replication.factor", "1");
        p.put("consumer.session.timeout.ms", "6000"); // the next life waits so long for the one before
        p.put("consumer.heartbeat.interval.ms", "1000");
        StreamsBuilder b = new StreamsBuilder();
        b.stream("lines", Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((k, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count()
            .toStream()
            .mapValues(n -> Long.toString(n))
            .to("counts", Produced.with(Serdes.String(), Serdes.String()));
        KafkaStreams app = new KafkaStreams(b.build(), p);
        app.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        app.start();
        Thread.sleep(Long.MAX_VALUE);
    }
}
