internal import Artifacts
internal import Datasets
internal import Foundation
internal import Report
internal import Worker

extension ReportCommand {
  /// Most bytes of pictures in one page, as base64.
  static let pictureBytes = 8 << 20

  /// Puts the pictures of certified images into the reports, in order, as many as a page may carry.
  ///
  /// Where an image set is not in this machine's store the report goes without, and says so.
  func addPictures(to reports: inout [RunReport], from context: Context) async throws {
    guard pictures > 0 else { return }
    var (count, bytes) = (pictures, Self.pictureBytes)
    for place in reports.indices {
      guard var fleet = reports[place].fleet else { continue }
      let digest = fleet.images.digest
      let wanted = Set(reports[place].levels.flatMap { $0.items.map(\.imageIndex) }).sorted()
      do {
        let artifacts = try context.artifacts()
        let (limit, room) = (count, bytes)
        fleet.images.pictures = try await offPool {
          try Self.pictures(of: try artifacts.imageSet(digest), wanted: wanted, count: limit, bytes: room)
        }
      } catch {
        Console.say("note: no pictures of \(reports[place].name): \(error)")
        continue
      }
      count -= fleet.images.pictures.count
      bytes -= fleet.images.pictures.values.reduce(0) { $0 + $1.base64.utf8.count }
      reports[place].fleet = fleet
    }
  }

  private static func pictures(
    of images: ImageSet, wanted: [Int], count: Int, bytes: Int
  ) throws -> [Int: RunReport.Picture] {
    var pictures: [Int: RunReport.Picture] = [:]
    var room = bytes
    for index in wanted.prefix(count) where index < images.count {
      guard let file = images.png(index) else { break }
      let base64 = Data(file).base64EncodedString()
      room -= base64.utf8.count
      guard room >= 0 else { break }
      pictures[index] = RunReport.Picture(width: images.width, height: images.height, base64: base64)
    }
    return pictures
  }
}
