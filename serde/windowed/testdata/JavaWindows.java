import java.util.HexFormat;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.kstream.internals.TimeWindow;

// JavaWindows prints what Kafka Streams' serializers of windowed keys write: kind, key, start and end in ms, bytes in hex,
// tab-separated. What it printed is java-windows.tsv. From this folder, with the jars of kafka-streams and kafka-clients
// 4.3.1 and of slf4j-api:
//
//   java -cp kafka-streams-4.3.1.jar:kafka-clients-4.3.1.jar:slf4j-api-1.7.36.jar JavaWindows.java >java-windows.tsv
public class JavaWindows {
    static <K> void line(String kind, Serializer<Windowed<K>> s, K key, Window w) {
        byte[] b = s.serialize("topic", new Windowed<>(key, w));
        System.out.println(kind + "\t" + key + "\t" + w.start() + "\t" + w.end() + "\t" + HexFormat.of().formatHex(b));
    }

    public static void main(String[] args) {
        Serializer<String> strings = new StringSerializer();
        for (String key : new String[] {"a", "größe", ""}) {
            line("time", new TimeWindowedSerializer<>(strings), key, new TimeWindow(2000, 3000));
            line("time", new TimeWindowedSerializer<>(strings), key, new TimeWindow(0, 1000));
            line("session", new SessionWindowedSerializer<>(strings), key, new SessionWindow(1, 256));
            line("session", new SessionWindowedSerializer<>(strings), key, new SessionWindow(5, 5));
        }
        line("time", new TimeWindowedSerializer<>(strings), "z", new TimeWindow(1767225600000L, 1767225601000L));
        line("session", new SessionWindowedSerializer<>(strings), "z", new SessionWindow(1767225600000L, 1767225660123L));
    }
}
