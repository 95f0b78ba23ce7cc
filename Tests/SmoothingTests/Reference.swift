import Foundation
import Testing

/// Reference data that travels beside the repository, not in it, and small fixtures of our own inside it.
enum Reference {
  static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The folder named by `RRCM_SHARED`, else `shared` beside the package.
  static let shared =
    ProcessInfo.processInfo.environment["RRCM_SHARED"].map { URL(filePath: $0) }
    ?? package.deletingLastPathComponent().appending(path: "shared")

  /// Whether the published logs and 40-digit tables are at hand; says so once where they are not.
  static let isPresent: Bool = {
    let found = FileManager.default.fileExists(atPath: shared.appending(path: "golden/cohen/rows.csv").path)
    if !found { print("skipped: no reference data in \(shared.path); set RRCM_SHARED to a folder that holds golden/") }
    return found
  }()

  static func text(_ path: String) throws -> String {
    try String(contentsOf: shared.appending(path: path), encoding: .utf8)
  }

  /// A simple CSV (no quotes) as one dictionary per row.
  static func rows(_ text: String) -> [[Substring: Substring]] {
    let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
  }

  /// The number in C's hexadecimal notation, as the fixtures hold doubles.
  static func double(_ text: Substring) throws -> Double { try #require(Double(String(text))) }
}
