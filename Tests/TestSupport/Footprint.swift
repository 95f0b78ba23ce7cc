package import Database
import Foundation
import Tensors

/// What a command may have changed: every row of the fleet's schema and every file of a folder, as one hash each.
package enum Footprint {
  /// A hash of all rows of all tables of schema `rrcm`, and of the sequences behind their numbers.
  package static func rows(_ connection: Connection) async throws -> String {
    var parts: [String] = []
    let tables = try await connection.query(
      "SELECT c.relname AS name, c.relkind = 'S' AS is_sequence FROM pg_class c WHERE c.relnamespace = 'rrcm'::regnamespace AND c.relkind IN ('r', 'S') ORDER BY 1"
    )
    for table in tables {
      let name = try table.text("name")
      let value = try table.bool("is_sequence") ? "last_value::text || is_called" : "t::text"
      let row = try await connection.query(
        "SELECT md5(coalesce(string_agg(\(value), '|' ORDER BY \(value)), '')) AS hash FROM rrcm.\"\(name)\" AS t")[0]
      parts.append("\(name) \(try row.text("hash"))")
    }
    return parts.joined(separator: "\n")
  }

  /// Name, size, mode and content of every file under a folder; a folder that is missing has no line.
  package static func files(_ folder: String) throws -> String {
    let names = (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []).sorted()
    return names.map { name in
      let data = FileManager.default.contents(atPath: "\(folder)/\(name)")
      let mode = (try? FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)"))?[.posixPermissions] ?? 0
      let hash = data.map { $0.withUnsafeBytes { SHA256(hashing: $0) }.hex } ?? "folder"
      return "\(name) \(mode) \(hash)"
    }.joined(separator: "\n")
  }
}
