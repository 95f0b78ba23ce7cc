internal import CCrypto

/// One step of the schema: plain SQL in both directions, without BEGIN or COMMIT.
package struct Migration: Sendable, Equatable {
  /// Place in the order; 1, 2, 3… without gaps.
  package let number: Int
  /// The words of the file name: `initial` of `0001_initial.up.sql`.
  package let name: String
  package let up: String
  package let down: String

  package init(number: Int, name: String, up: String, down: String) {
    self.number = number
    self.name = name
    self.up = up
    self.down = down
  }

  /// SHA-256 of the `up` text, 64 hexadecimal digits: what tells that a released migration was edited.
  package var checksum: String {
    var digest = [UInt8](repeating: 0, count: 32)
    let text = Array(up.utf8)
    _ = SHA256(text, text.count, &digest)
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// Every migration of this program, in order. `sql/` holds the texts; a test guards that none is forgotten here.
  package static let all: [Migration] = [
    Migration(
      number: 1, name: "initial", up: text(PackageResources._001_initial_up_sql),
      down: text(PackageResources._001_initial_down_sql)),
    Migration(
      number: 2, name: "views", up: text(PackageResources._002_views_up_sql),
      down: text(PackageResources._002_views_down_sql)),
    Migration(
      number: 3, name: "comments", up: text(PackageResources._003_comments_up_sql),
      down: text(PackageResources._003_comments_down_sql)),
    Migration(
      number: 4, name: "reports", up: text(PackageResources._004_reports_up_sql),
      down: text(PackageResources._004_reports_down_sql)),
    Migration(
      number: 5, name: "sweeps", up: text(PackageResources._005_sweeps_up_sql),
      down: text(PackageResources._005_sweeps_down_sql)),
    Migration(
      number: 6, name: "parts", up: text(PackageResources._006_parts_up_sql),
      down: text(PackageResources._006_parts_down_sql)),
    Migration(
      number: 7, name: "queue", up: text(PackageResources._007_queue_up_sql),
      down: text(PackageResources._007_queue_down_sql)),
    Migration(
      number: 8, name: "aggregates", up: text(PackageResources._008_aggregates_up_sql),
      down: text(PackageResources._008_aggregates_down_sql)),
    Migration(
      number: 9, name: "logins", up: text(PackageResources._009_logins_up_sql),
      down: text(PackageResources._009_logins_down_sql)),
    Migration(
      number: 10, name: "audits", up: text(PackageResources._010_audits_up_sql),
      down: text(PackageResources._010_audits_down_sql)),
    Migration(
      number: 11, name: "modes", up: text(PackageResources._011_modes_up_sql),
      down: text(PackageResources._011_modes_down_sql)),
    Migration(
      number: 12, name: "control", up: text(PackageResources._012_control_up_sql),
      down: text(PackageResources._012_control_down_sql)),
    Migration(
      number: 13, name: "rights", up: text(PackageResources._013_rights_up_sql),
      down: text(PackageResources._013_rights_down_sql)),
  ]

  static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
