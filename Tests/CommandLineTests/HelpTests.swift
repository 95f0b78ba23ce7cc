import ArgumentParser
import Foundation
import Testing

@testable import CommandLine

@Suite("Help") struct HelpTests {
  @Test("the tree of commands is walked to its leaves")
  func tree() {
    let verbs = Set(Verb.all.map(\.description))
    #expect(verbs.count >= 29)
    for known in ["rrcm up", "rrcm run submit", "rrcm item show", "rrcm worker drain", "rrcm migrate sql"] {
      #expect(verbs.contains(known), "\(known) is missing")
    }
  }

  @Test("each verb's help opens with two examples that can be typed, and ends with the next likely command")
  func examples() throws {
    for verb in Verb.all {
      let lines = verb.command.configuration.discussion.split(separator: "\n").map(String.init)
      let examples = lines.prefix { $0 == "\(verb)" || $0.hasPrefix("\(verb) ") }
      #expect(examples.count >= 2, "\(verb) opens with \(lines.first ?? "nothing")")
      #expect(!verb.command.configuration.abstract.isEmpty, "\(verb)")
      let last = lines.last ?? ""
      #expect(last.hasPrefix("Next: rrcm "), "\(verb) ends with \(last)")
      for example in examples { try parses(example, of: verb) }
      for next in last.dropFirst("Next: ".count).components(separatedBy: ", ") { try parses(next, of: verb) }
    }
  }

  /// Whether an example reaches a verb and its flags are known. Redirections are the shell's; words in capitals stand for
  /// a value.
  private func parses(_ example: String, of verb: Verb) throws {
    let words = example.split(separator: " ").map(String.init)
    #expect(words.first == "rrcm", "\(verb): \(example)")
    var typed = words.dropFirst().prefix { !["|", ">", "<"].contains($0) && !$0.hasPrefix("[") }
    typed = typed.map { ["IMAGE", "HITS", "N", "SIGMA"].contains($0) ? "1" : $0 }[...]
    do { _ = try RRCM.parseAsRoot(Array(typed)) } catch {
      Issue.record("\(verb): \"\(example)\" is refused: \(RRCM.fullMessage(for: error))")
    }
  }

  @Test("every flag, option and argument has a help text")
  func flags() throws {
    let arguments = try Verb.arguments()
    #expect(arguments.count > 80)
    for (verb, argument, help) in arguments where verb != "rrcm help" {
      #expect(help.map { $0.count >= 8 } ?? false, "\(verb): \(argument) has no help")
    }
  }

  @Test("a verb that writes can be asked what it would do, and one that lists speaks to programs")
  func conventions() throws {
    let arguments = try Verb.arguments()
    func has(_ verb: Verb, _ name: String) -> Bool {
      arguments.contains { $0.verb == "\(verb)" && $0.argument == name }
    }
    let writing = [
      "submit", "cancel", "import", "drain", "up", "down", "create", "stop", "retry", "resume", "remove", "fetch",
    ]
    let listing = ["list", "show", "status"]
    for verb in Verb.all {
      if writing.contains(verb.words.last!) { #expect(has(verb, "dry-run"), "\(verb) lacks --dry-run") }
      if listing.contains(verb.words.last!) {
        #expect(has(verb, "output") && verb.command is any AnswersWithRows.Type, "\(verb) lacks --output")
      }
    }
  }

  @Test("the program's help names every exit code")
  func exitCodes() {
    for code in ExitStatus.allCases {
      #expect(RRCM.configuration.discussion.contains("\(code.rawValue) \(code.summary)"))
    }
  }
}
