internal import Foundation
package import Logging
internal import Synchronization

/// How log lines look.
package enum LogFormat: Sendable {
  /// `2026-01-01T00:00:00.000Z info message key=value …`, values quoted where needed.
  case text
  /// One JSON object per line.
  case json
}

/// Sends every logger of this process to standard error. Call once, first thing.
package func bootstrapLogging(level: Logger.Level, format: LogFormat) {
  LoggingSystem.bootstrap { label in
    var handler = LineLogHandler(label: label, format: format, write: writeToStandardError)
    handler.logLevel = level
    return handler
  }
}

/// Writes in one system call, so that lines of several threads do not mix. A full disk or a closed pipe loses the line, not
/// the process.
private func writeToStandardError(_ line: String) {
  var line = line
  line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
}

/// Writes one line per event: a constant message, values as metadata.
package struct LineLogHandler: LogHandler {
  package var logLevel: Logger.Level = .info
  package var metadata: Logger.Metadata = [:]
  private let label: String
  private let format: LogFormat
  private let write: @Sendable (String) -> Void

  package init(label: String, format: LogFormat, write: @escaping @Sendable (String) -> Void) {
    self.label = label
    self.format = format
    self.write = write
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    let merged = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    let date = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    switch format {
    case .text:
      let pairs = merged.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined()
      write("\(date) \(event.level) \(event.message)\(pairs)\n")
    case .json:
      var fields: [(String, String)] = [
        ("at", date), ("level", "\(event.level)"), ("logger", label), ("message", "\(event.message)"),
      ]
      fields += merged.map { ($0.key, "\($0.value)") }
      write("{" + fields.map { "\(Self.json($0.0)):\(Self.json($0.1))" }.joined(separator: ",") + "}\n")
    }
  }

  /// The value as logfmt wants it: bare where it can be.
  static func quoted(_ value: String) -> String {
    let isPlain =
      !value.isEmpty && value.unicodeScalars.allSatisfy { $0.value > 32 && $0 != "\"" && $0 != "=" && $0 != "\\" }
    return isPlain ? value : json(value)
  }

  static func json(_ value: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }
}
