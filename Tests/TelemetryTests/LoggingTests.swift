import Foundation
import Logging
import Synchronization
import Telemetry
import Testing

private final class Lines: Sendable {
  private let text = Mutex("")
  func add(_ line: String) { text.withLock { $0 += line } }
  var all: String { text.withLock { $0 } }
}

@Suite("Log lines")
struct LoggingTests {
  /// What one logger with `run_id` attached writes for one warning.
  private func line(_ format: LogFormat, _ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
    let lines = Lines()
    var logger = Logger(label: "rrcm.worker") { LineLogHandler(label: $0, format: format) { lines.add($0) } }
    logger[metadataKey: "run_id"] = "12"
    logger.warning(message, metadata: metadata)
    logger.debug("below the level")
    return lines.all
  }

  @Test("a text line is dated to the millisecond in UTC, with sorted pairs, quoted where a reader would be misled")
  func text() throws {
    let line = line(.text, "lease lost", ["item_id": "7", "b": "two words", "c": "", "d": "a=\"b\"\nnext", "e": "né"])
    let match = try #require(line.wholeMatch(of: #/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (.*)\n/#))
    let date = try Date(String(match.1), strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    #expect(abs(date.timeIntervalSinceNow) < 60)
    #expect(
      match.2 == #"warning lease lost b="two words" c="" d="a=\"b\"\nnext" e=né item_id=7 run_id=12"#)
  }

  @Test("a JSON line is one object that reads back, whatever the values hold")
  func json() throws {
    let line = line(.json, "lease \"lost\"", ["odd": "\u{1}\"\\/\n日本"])
    #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { $0 != "\n" })
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
    #expect(object["message"] == "lease \"lost\"")
    #expect(object["level"] == "warning")
    #expect(object["logger"] == "rrcm.worker")
    #expect(object["run_id"] == "12")
    #expect(object["odd"] == "\u{1}\"\\/\n日本")
    #expect(object["at"]?.hasSuffix("Z") == true)
  }

  @Test("an event's own metadata win over the logger's")
  func precedence() {
    #expect(line(.text, "m", ["run_id": "13"]).hasSuffix(" warning m run_id=13\n"))
  }
}
