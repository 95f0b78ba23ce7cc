import ArgumentParser
import Foundation

@testable import CommandLine

/// A verb, with the words that call it.
struct Verb: CustomStringConvertible, Sendable {
  let words: [String]
  let command: any ParsableCommand.Type

  /// `rrcm run list`
  var description: String { words.joined(separator: " ") }

  /// Every verb of the program, by walking the tree of commands.
  static let all: [Verb] = walk(RRCM.self, ["rrcm"])

  private static func walk(_ command: any ParsableCommand.Type, _ words: [String]) -> [Verb] {
    let children = command.configuration.subcommands
    guard !children.isEmpty else { return [Verb(words: words, command: command)] }
    return children.flatMap { child in
      walk(child, words + [child.configuration.commandName ?? "\(child)".lowercased()])
    }
  }

  /// The flags and options, out of ArgumentParser's own description of the program.
  static func arguments() throws -> [(verb: String, argument: String, help: String?)] {
    let described = try JSONSerialization.jsonObject(with: Data(RRCM._dumpHelp().utf8)) as? [String: Any]
    func walk(_ command: [String: Any], _ words: [String]) -> [(String, String, String?)] {
      let words = words + [command["commandName"] as? String ?? "?"]
      let arguments = (command["arguments"] as? [[String: Any]] ?? []).map { argument in
        (words.joined(separator: " "), "\(argument["valueName"] ?? "?")", argument["abstract"] as? String)
      }
      return arguments + (command["subcommands"] as? [[String: Any]] ?? []).flatMap { walk($0, words) }
    }
    return walk(described?["command"] as? [String: Any] ?? [:], [])
  }
}
