import java.util.List;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;

// RegistryClient uses the Java client of the Confluent Schema Registry, as Apache Flink ships it on Maven Central: the
// same classes under a longer name. It prints what the registry answers, one line each.
//
//   java -cp CLASSPATH RegistryClient.java URL
//
// where CLASSPATH is what pom.xml beside this file asks for.
public class RegistryClient {
    public static void main(String[] args) throws Exception {
        CachedSchemaRegistryClient c = new CachedSchemaRegistryClient(args[0], 100);
        AvroSchema first = new AvroSchema("{\"type\":\"record\",\"name\":\"J\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}");
        AvroSchema second = new AvroSchema("{\"type\":\"record\",\"name\":\"J\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"}]}");
        AvroSchema broken = new AvroSchema("{\"type\":\"record\",\"name\":\"J\",\"fields\":[{\"name\":\"b\",\"type\":\"int\"}]}");
        int id = c.register("java", first);
        int next = c.register("java", second);
        System.out.println("distinct " + (id != next));
        c.reset();
        System.out.println("same id " + (c.getId("java", first) == id));
        System.out.println("same schema " + c.getSchemaById(id).equals(first));
        System.out.println("version " + c.getVersion("java", second));
        System.out.println("versions " + c.getAllVersions("java"));
        System.out.println("latest " + c.getLatestSchemaMetadata("java").getVersion());
        System.out.println("subjects " + c.getAllSubjects().contains("java"));
        System.out.println("compatible " + c.testCompatibility("java", second) + " " + c.testCompatibility("java", broken));
        System.out.println("level " + c.updateCompatibility("java", "FULL_TRANSITIVE") + " " + c.getCompatibility("java"));
        try {
            c.register("java", broken);
        } catch (RestClientException e) {
            System.out.println("refused " + e.getStatus() + " " + e.getErrorCode());
        }
        System.out.println("deleted " + c.deleteSchemaVersion("java", "1") + " " + c.deleteSubject("java"));
    }
}
