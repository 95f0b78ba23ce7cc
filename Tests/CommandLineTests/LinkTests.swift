import Foundation
import TestSupport
import Testing

/// Links between the repository's pages, and paths that they name.
@Suite("Links in documentation") struct LinkTests {
  /// Every Markdown page of the repository, as paths from its root.
  private static let pages: [String] = {
    let files = FileManager.default.enumerator(atPath: Repository.root)!
    var pages: [String] = []
    while let path = files.nextObject() as? String {
      let name = path.split(separator: "/").last ?? ""
      if name.hasPrefix("."), files.fileAttributes?[.type] as? FileAttributeType == .typeDirectory {
        files.skipDescendants()
      } else if path.hasSuffix(".md") {
        pages.append(path)
      }
    }
    return pages.sorted()
  }()

  /// A page without its code blocks.
  private func prose(_ page: String) throws -> String {
    try Repository.text(page).replacing(#/(?ms)^```.*?^```/#, with: "")
  }

  /// What a heading is called in a link, as GitHub makes it.
  private func anchors(_ page: String) throws -> Set<String> {
    Set(
      try prose(page).matches(of: #/(?m)^#+ (.+)$/#).map { heading in
        heading.1.lowercased().filter { $0.isLetter || $0.isNumber || " -_".contains($0) }.replacing(" ", with: "-")
      })
  }

  /// The path from the root that a link on a page means.
  private static func resolve(_ link: String, from page: String) -> String {
    var words = page.split(separator: "/").dropLast().map(String.init)
    for word in link.split(separator: "/").map(String.init) {
      switch word {
      case ".": continue
      case "..": _ = words.popLast()
      default: words.append(word)
      }
    }
    return words.joined(separator: "/")
  }

  @Test("every relative link leads to a file, and to a heading where it names one")
  func links() throws {
    #expect(Self.pages.count >= 10)
    var count = 0
    for page in Self.pages {
      for link in try prose(page).matches(of: #/\]\(([^)\s]+)\)/#).map({ String($0.1) }) {
        guard link.firstMatch(of: #/^[a-z]+:/#) == nil else { continue }
        count += 1
        let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let path = parts[0].isEmpty ? page : Self.resolve(parts[0], from: page)
        guard FileManager.default.fileExists(atPath: "\(Repository.root)/\(path)") else {
          Issue.record("\(page): \(link) leads nowhere")
          continue
        }
        if parts.count == 2 {
          #expect(try anchors(path).contains(parts[1]), "\(page): \(path) has no heading #\(parts[1])")
        }
      }
    }
    #expect(count >= 40)
  }

  @Test("every path in backticks exists")
  func paths() throws {
    let known = #/`((?:Sources|Tests|docs|scripts|deploy|configs|migrations)/[A-Za-z0-9_.@+\/-]+)`/#
    var count = 0
    for page in Self.pages where page != "CHANGELOG.md" {
      for path in try prose(page).matches(of: known).map({ String($0.1) }) {
        count += 1
        #expect(FileManager.default.fileExists(atPath: "\(Repository.root)/\(path)"), "\(page): there is no \(path)")
      }
    }
    #expect(count >= 20)
  }

  @Test("docs/README.md leads to every page of docs")
  func index() throws {
    let index = try Repository.text("docs/README.md")
    for page in Self.pages where page.hasPrefix("docs/") && page != "docs/README.md" {
      let name = String(page.dropFirst("docs/".count))
      guard !name.hasPrefix("adr/") || name == "adr/README.md" else {
        #expect(try Repository.text("docs/adr/README.md").contains("(\(name.dropFirst(4)))"), "\(name) is not listed")
        continue
      }
      #expect(index.contains("(\(name)"), "\(name) is not in docs/README.md")
    }
  }
}
