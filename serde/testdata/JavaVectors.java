import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import org.apache.kafka.common.serialization.*;

// JavaVectors prints what Apache Kafka's own serializers write, one value a line: serde, value, bytes in hex ("null" for
// none), tab-separated. What it printed is java-vectors.tsv. From this folder, with the jar of kafka-clients 4.3.1:
//
//   java -cp kafka-clients-4.3.1.jar JavaVectors.java >java-vectors.tsv
public class JavaVectors {
    static <T> void line(String serde, Serializer<T> s, T v, String text) {
        byte[] b = s.serialize("topic", v);
        System.out.println(serde + "\t" + text + "\t" + (b == null ? "null" : HexFormat.of().formatHex(b)));
    }

    static <T> void line(String serde, Serializer<T> s, T v) { line(serde, s, v, String.valueOf(v)); }

    static <T> Serializer<List<T>> list(Serde<T> inner) { return new Serdes.ListSerde<>(ArrayList.class, inner).serializer(); }

    public static void main(String[] args) {
        for (String v : new String[] {"", "a", "größe", "世界", "\uD83D\uDE00"}) line("string", new StringSerializer(), v);
        line("bytes", new ByteArraySerializer(), new byte[] {}, "");
        line("bytes", new ByteArraySerializer(), new byte[] {0, 1, -1}, "0001ff");
        line("bytes", new ByteBufferSerializer(), ByteBuffer.wrap(new byte[] {7, 8}), "0708");
        for (short v : new short[] {0, 1, -1, Short.MIN_VALUE, Short.MAX_VALUE}) line("int16", new ShortSerializer(), v);
        for (int v : new int[] {0, 1, -2, 1 << 24, Integer.MIN_VALUE, Integer.MAX_VALUE}) line("int32", new IntegerSerializer(), v);
        for (long v : new long[] {0, 1, -3, 1L << 40, Long.MIN_VALUE, Long.MAX_VALUE}) line("int64", new LongSerializer(), v);
        for (float v : new float[] {0, -0f, 1.5f, Float.MIN_VALUE, Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NaN}) line("float32", new FloatSerializer(), v);
        for (double v : new double[] {0, -0d, 1.5, Double.MIN_VALUE, Double.MAX_VALUE, Double.NEGATIVE_INFINITY, Double.NaN}) line("float64", new DoubleSerializer(), v);
        line("bool", new BooleanSerializer(), true);
        line("bool", new BooleanSerializer(), false);
        line("uuid", new UUIDSerializer(), UUID.fromString("123e4567-e89b-12d3-a456-426614174000"));
        line("uuid", new UUIDSerializer(), new UUID(-1, 0));
        line("none", new VoidSerializer(), null);
        line("list string", list(Serdes.String()), Arrays.asList("a", "", "bc"));
        line("list string", list(Serdes.String()), List.of());
        line("list optional string", list(Serdes.String()), Arrays.asList("a", null, ""));
        line("list int16", list(Serdes.Short()), Arrays.asList((short) 1, (short) -2));
        line("list int32", list(Serdes.Integer()), Arrays.asList(1, 2, 3));
        line("list int64", list(Serdes.Long()), Arrays.asList(-1L));
        line("list optional int64", list(Serdes.Long()), Arrays.asList(null, 5L, null));
        line("list optional int64", list(Serdes.Long()), Arrays.asList(6L));
        line("list float32", list(Serdes.Float()), Arrays.asList(1.5f));
        line("list float64", list(Serdes.Double()), Arrays.asList(1.5, -2.0));
        line("list uuid", list(Serdes.UUID()), Arrays.asList(new UUID(1, 2)));
        line("list bool", list(Serdes.Boolean()), Arrays.asList(true, false));
        line("list list string", list(new Serdes.ListSerde<>(ArrayList.class, Serdes.String())), Arrays.asList(new ArrayList<>(List.of("x")), new ArrayList<>()));
    }
}
