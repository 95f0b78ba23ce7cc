internal import ArgumentParser
internal import Foundation
internal import Store

/// Names out of the database, for shell completion. A database that does not answer within a second gives none: a shell
/// must not hang, and must not print.
extension CompletionKind {
  static var runs: CompletionKind { names { store in try await store.progress().map(\.name) } }
  static var sweeps: CompletionKind { names { store in try await store.sweepProgress().map(\.name) } }
  static var datasets: CompletionKind { names { store in try await store.datasets().map(\.name) } }
  static var checkpoints: CompletionKind { names { store in try await store.checkpoints().map(\.name) } }
  static var workers: CompletionKind { names { store in try await store.workers().map(\.name) } }

  private static func names(_ list: @escaping @Sendable (Store) async throws -> [String]) -> CompletionKind {
    .custom { _, _, typed in
      let names = await within(.seconds(1)) {
        let store = try await Context().store("completion", patience: .milliseconds(800), isQuiet: true)
        return try await list(store)
      }
      return Set(names ?? []).filter { $0.hasPrefix(typed) }.sorted()
    }
  }

  /// What `body` gives in time; nil when it is late or throws. What is late goes on in the background until the program
  /// ends, which is at once.
  private static func within<T: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> T
  ) async -> T? {
    let (stream, answer) = AsyncStream.makeStream(of: T?.self)
    let work = Task {
      answer.yield(try? await body())
    }
    let clock = Task {
      try? await Task.sleep(for: limit)
      answer.yield(nil)
    }
    defer {
      work.cancel()
      clock.cancel()
    }
    for await first in stream { return first }
    return nil
  }
}

/// The script that teaches a shell to complete this program's verbs, flags and names.
struct Completions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "Print the completion script of a shell: verbs, flags, and names of runs.",
    discussion: """
      rrcm completions bash > ~/.local/share/bash-completion/completions/rrcm
      rrcm completions zsh > ~/.zfunc/_rrcm

      fish reads ~/.config/fish/completions/rrcm.fish. Names of runs, image sets, checkpoints and workers come from the \
      database, if it answers within a second.
      Next: rrcm run list
      """)

  enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

  @Argument(help: "bash, zsh or fish.")
  var shell: Shell

  func run() async throws {
    let kind: CompletionShell =
      switch shell {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    Console.out(RRCM.completionScript(for: kind) + "\n")
  }
}
