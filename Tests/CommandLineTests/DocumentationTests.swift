import ArgumentParser
import Foundation
import Testing

@testable import CommandLine

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
    let served = try sources("Sources").matches(of: /\.(?:counter|gauges?|histogram)\(\s*"(rrcm_[a-z_]+)"/).map {
      String($0.1)
    }
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

  @Test("docs/command-line.md has every verb with the columns it answers with, and no other")
  func verbs() throws {
    let sections = try text("docs/command-line.md").components(separatedBy: "\n### `").dropFirst()
    var documented: [String: String] = [:]
    for section in sections {
      let parts = section.components(separatedBy: "\n## ")[0].split(separator: "`", maxSplits: 1)
      documented[String(parts[0])] = String(parts[1])
    }
    #expect(Set(documented.keys) == Set(Verb.all.map(\.description)))
    var columns: Set<String> = []
    for verb in Verb.all {
      let section = documented["\(verb)"] ?? ""
      let given = section.matches(of: /(?m)^Columns(?: with `(--[a-z-]+)`)?: (.*)$/).map {
        "\($0.1.map { "\($0) " } ?? "")\($0.2)"
      }
      let layouts = (verb.command as? any AnswersWithRows.Type)?.layouts ?? []
      let wanted = layouts.map { layout in
        (layout.option.map { "\($0) " } ?? "") + layout.columns.map { "`\($0)`" }.joined(separator: " ")
      }
      #expect(given == wanted, "\(verb)")
      for layout in layouts {
        columns.formUnion(layout.columns)
        #expect(layout.shown.map { Set($0).isSubset(of: layout.columns) } ?? true, "\(verb)")
        #expect(Set(layout.columns).count == layout.columns.count, "\(verb)")
      }
    }
    let glossary = try rows("docs/command-line.md", "Columns")
    #expect(Set(glossary) == columns)
  }

  @Test("docs/operations.md says of every check of the doctor when it finds trouble")
  func checks() throws {
    let checks = try rows("docs/operations.md", "Symptom, look, do")
    #expect(checks == Finding.Check.allCases.map(\.rawValue))
  }

  @Test("docs/command-line.md has every exit code, and no other")
  func exitCodes() throws {
    let codes = try rows("docs/command-line.md", "Exit codes")
    #expect(codes == ExitStatus.allCases.map { "\($0.rawValue)" })
  }

  /// First cells, in backticks, of the table under a heading of a page.
  private func rows(_ page: String, _ heading: String) throws -> [String] {
    let section = try text(page).components(separatedBy: "\n## ").first { $0.hasPrefix(heading + "\n") } ?? ""
    return section.matches(of: /(?m)^\| `([a-z0-9_]+)` \|/).map { String($0.1) }
  }
}
