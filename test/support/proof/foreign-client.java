import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Apache's own client, driven over standard input and output with tab-separated lines, bytes in base64, "-" for null.
 * "send TOPIC PARTITION KEY VALUE HEADER=VALUE…" and "flush ID" write, "rewind ID GROUP" sets offsets back, "forget-members ID GROUP" takes its members out; every record of the topics in the arguments that is committed
 * comes out as "record …"; "end ID" is answered once everything committed before it has come out.
 */
final class ForeignClient {
  private static final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
  private static final ConcurrentLinkedQueue<String> ends = new ConcurrentLinkedQueue<>();

  public static void main(String[] arguments) throws Exception {
    Map<String, Object> common = Map.of("bootstrap.servers", arguments[0]);
    Thread reader = new Thread(() -> read(common, List.of(arguments).subList(1, arguments.length)));
    reader.setDaemon(true);
    reader.start();
    write(common);
  }

  private static void write(Map<String, Object> common) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (var producer = new KafkaProducer<>(common, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (String line = input.readLine(); line != null; line = input.readLine()) {
        String[] words = line.split("\t", -1);
        switch (words[0]) {
          case "send" -> {
            Integer partition = words[2].equals("-") ? null : Integer.valueOf(words[2]);
            var record = new ProducerRecord<>(words[1], partition, bytes(words[3]), bytes(words[4]));
            for (int index = 5; index < words.length; index += 1) {
              int at = words[index].indexOf('=');
              record.headers().add(words[index].substring(0, at), bytes(words[index].substring(at + 1)));
            }
            sent.add(producer.send(record));
          }
          case "flush" -> {
            producer.flush();
            for (Future<RecordMetadata> each : sent) each.get();
            sent.clear();
            say("flushed\t" + words[1]);
          }
          case "end" -> ends.add(words[1]);
          case "rewind" -> {
            rewind(common, words[2]);
            say("rewound\t" + words[1]);
          }
          case "forget-members" -> {
            forgetMembers(common, words[2]);
            say("forgotten\t" + words[1]);
          }
          default -> throw new IllegalArgumentException(line);
        }
      }
    }
  }

  /** Every offset of the group that was ever committed becomes the first one of its partition. */
  private static void rewind(Map<String, Object> common, String group) throws Exception {
    try (Admin admin = Admin.create(common)) {
      var partitions = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().keySet();
      var beginnings = admin.listOffsets(partitions.stream().collect(Collectors.toMap(each -> each, each -> OffsetSpec.earliest()))).all().get();
      Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
      beginnings.forEach((partition, info) -> offsets.put(partition, new OffsetAndMetadata(info.offset())));
      admin.alterConsumerGroupOffsets(group, offsets).all().get();
    }
  }

  /** Static members stay when they stop, until their session ends or somebody takes them out. */
  private static void forgetMembers(Map<String, Object> common, String group) throws Exception {
    try (Admin admin = Admin.create(common)) {
      admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions()).all().get();
    }
  }

  private static void read(Map<String, Object> common, List<String> topics) {
    var properties = new HashMap<>(common);
    properties.put("isolation.level", "read_committed");
    properties.put("enable.auto.commit", "false");
    try (var consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions = topics.stream()
          .flatMap(topic -> consumer.partitionsFor(topic).stream())
          .map(each -> new TopicPartition(each.topic(), each.partition()))
          .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      say("ready");
      while (true) {
        for (ConsumerRecord<byte[], byte[]> each : consumer.poll(Duration.ofMillis(50))) say(text(each));
        for (String end = ends.poll(); end != null; end = ends.poll()) {
          readToEnd(consumer, partitions);
          say("ended\t" + end);
        }
      }
    }
  }

  private static void readToEnd(KafkaConsumer<byte[], byte[]> consumer, Collection<TopicPartition> partitions) {
    Map<TopicPartition, Long> last = consumer.endOffsets(partitions);
    while (last.entrySet().stream().anyMatch(each -> consumer.position(each.getKey()) < each.getValue()))
      for (ConsumerRecord<byte[], byte[]> each : consumer.poll(Duration.ofMillis(50))) say(text(each));
  }

  private static String text(ConsumerRecord<byte[], byte[]> each) {
    StringBuilder line = new StringBuilder("record\t").append(each.topic()).append('\t').append(each.partition());
    line.append('\t').append(each.offset()).append('\t').append(text(each.key())).append('\t').append(text(each.value()));
    for (Header header : each.headers()) line.append('\t').append(header.key()).append('=').append(text(header.value()));
    return line.toString();
  }

  private static void say(String line) {
    synchronized (out) {
      out.println(line);
      out.flush();
    }
  }

  private static byte[] bytes(String text) {
    return text.equals("-") ? null : Base64.getDecoder().decode(text);
  }

  private static String text(byte[] bytes) {
    return bytes == null ? "-" : Base64.getEncoder().encodeToString(bytes);
  }
}
