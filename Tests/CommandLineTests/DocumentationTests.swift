import Foundation
import Testing

@Suite("Documentation") struct DocumentationTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  private func text(_ path: String) throws -> String {
    try String(contentsOfFile: "\(Self.root)/\(path)", encoding: .utf8)
  }

  /// Every source and statement under a folder, joined.
  private func sources(_ folder: String) throws -> String {
    let files = FileManager.default.enumerator(atPath: "\(Self.root)/\(folder)")!.compactMap { $0 as? String }
    return try files.filter { $0.hasSuffix(".swift") || $0.hasSuffix(".sql") }.sorted().map {
      try text("\(folder)/\($0)")
    }
    .joined(separator: "\n")
  }

  /// The words in backticks that begin rows of the table under a heading.
  private func table(_ heading: String) throws -> Set<String> {
    let sections = try text("docs/operations.md").components(separatedBy: "\n## ")
    guard let section = sections.first(where: { $0.hasPrefix(heading + "\n") }) else { return [] }
    let firstCells = section.split(separator: "\n").compactMap { $0.firstMatch(of: /^\| (`[^|]*) \|/)?.1 }
    return Set(firstCells.flatMap { $0.matches(of: /`([a-z_]+)`/).map { String($0.1) } })
  }

  @Test("docs/operations.md lists every metric that is served, and no other")
  func metrics() throws {
    let served = try sources("Sources").matches(of: /\.(?:counter|gauge)\(\s*"(rrcm_[a-z_]+)"/).map { String($0.1) }
    #expect(served.count >= 10)
    #expect(try table("Metrics") == Set(served))
  }

  @Test("docs/operations.md lists every kind of event that is written, and no other")
  func events() throws {
    let all = try sources("Sources")
    let written =
      all.matches(of: /(?:\.event|recordEvent)\(\s*"([a-z_]+)"/).map { String($0.1) }
      + all.matches(of: /INSERT INTO rrcm\.event \([a-z_, ]+\)\s+SELECT '([a-z_]+)'/).map { String($0.1) }
    #expect(written.count >= 5)
    #expect(try table("Events") == Set(written))
  }

  @Test("docs/dependencies.md gives a reason for every Swift package and every system package")
  func dependencies() throws {
    let documented = try text("docs/dependencies.md").matches(of: /(?m)^\| ([A-Za-z0-9.+-]+)(?: \([^)]+\))? \|/).map {
      String($0.1)
    }
    let packages = try text("Package.swift").matches(of: /\.package\(url: "[^"]*\/([A-Za-z-]+)"/).map { String($0.1) }
    let lines = try text("scripts/packages.sh").matches(of: /(?:BUILD|RUN|TEST)_PACKAGES="([^"]+)"/).map { $0.1 }
    let system = lines.flatMap { $0.split(separator: " ").map(String.init) }
    #expect(packages.count >= 5 && system.count >= 8)
    for name in packages + system { #expect(documented.contains(name), "\(name) has no line") }
  }
}
