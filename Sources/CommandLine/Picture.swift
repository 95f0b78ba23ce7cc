internal import Foundation
internal import Report
internal import Tensors

/// Writes a plot in the format that the file's name asks for: SVG, or PDF and PNG through `rsvg-convert`.
enum Picture {
  static let formats = ["svg", "pdf", "png"]

  /// What is wrong with the file's name; nil when it can be written here.
  static func problem(_ path: String) -> String? {
    let format = (path as NSString).pathExtension.lowercased()
    guard formats.contains(format) else { return "--out is \(path); a plot is written as .svg, .pdf or .png" }
    guard format == "svg" || converter != nil else {
      return
        "\(path) needs rsvg-convert, which is not installed: apt-get install librsvg2-bin, or write to a file ending in "
        + ".svg"
    }
    return nil
  }

  /// The converter on the path.
  static var converter: String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/rsvg-convert" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// - Throws: `CommandFailure` when the converter fails, with what it said.
  static func write(_ svg: String, to path: String) throws {
    let format = (path as NSString).pathExtension.lowercased()
    guard format != "svg" else { return try writeFile(svg, to: path) }
    guard let converter else { throw InputProblems([problem(path) ?? path]) }
    let scratch = NSTemporaryDirectory() + "/rrcm-plot-\(UUID().uuidString)"
    defer { for end in [".svg", ".out"] { try? FileManager.default.removeItem(atPath: scratch + end) } }
    try writeFile(svg, to: scratch + ".svg")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: converter)
    process.arguments =
      ["--format", format, "--output", scratch + ".out"] + (format == "png" ? ["--zoom", "2"] : [])
      + [scratch + ".svg"]
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0, let data = FileManager.default.contents(atPath: scratch + ".out") else {
      throw CommandFailure("rsvg-convert could not make \(path): \(said)", status: .outputFailed)
    }
    try AtomicFile.write(Bytes(Array(data)), to: path)
  }
}
