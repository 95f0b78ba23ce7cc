internal import ArgumentParser
internal import Foundation
internal import Store

extension OutputTable {
  /// Failed attempts, a row each.
  init(_ layout: RowLayout, attempts: [AttemptRecord]) {
    self.init(layout)
    for attempt in attempts {
      add([
        .int(attempt.itemID), .text(attempt.sigma), .int(attempt.unit), .text(attempt.outcome), .text(attempt.worker),
        .int(attempt.epoch), .bool(attempt.isAlone), .text(attempt.at), .text(attempt.retriedAt), .text(attempt.error),
      ])
    }
  }
}

/// Images of a certification run, each at its noise levels.
struct ItemCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "item", abstract: "Look at single images of a run: votes, certificate, who computed them.",
    subcommands: [List.self, Show.self])

  private static let columns = [
    "item", "image", "sigma", "label", "state", "units", "claimed", "posted", "samples", "top_class", "predicted",
    "radius", "abstained", "correct", "hits", "n", "p_lower", "compute_seconds", "numerics", "disagreements", "error",
  ]

  private static func cells(_ item: ItemRecord) -> [OutputTable.Cell] {
    [
      .int(item.id), .int(item.imageIndex), .text(item.sigma), .int(item.label), .text(item.state), .int(item.units),
      .int(item.claimed), .int(item.posted), .int(item.samples), .int(item.topClass), .int(item.predicted),
      .bound(item.radius), item.abstained.map { .bool($0) } ?? .none, item.correct.map { .bool($0) } ?? .none,
      .int(item.hits), .int(item.n), .bound(item.pLower), .double(item.computeSeconds), .text(item.numericsID),
      .int(item.disagreements), .text(item.error),
    ]
  }

  struct List: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "List a run's items, one per image and sigma.",
      discussion: """
        rrcm item list quickstart-certify
        rrcm item list 3 --state held --output csv

        Next: rrcm item show RUN IMAGE
        """)
    static let layouts = [
      RowLayout(
        columns: columns,
        shown: [
          "image", "sigma", "label", "state", "samples", "predicted", "radius", "correct", "hits", "n", "disagreements",
        ])
    ]

    enum State: String, ExpressibleByArgument, CaseIterable { case open, claimed, certified, held, cancelled }

    @Argument(help: "Number or name of the run.", completion: .runs)
    var run: String
    @Option(name: .long, help: "Only items in this state; may be given several times.")
    var state: [State] = []
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let store = try await Context().store("item")
      let record = try await RunCommand.find(run, in: store)
      let states = Set(state.map(\.rawValue))
      var table = OutputTable(Self.layouts[0])
      for item in try await store.items(ofRun: record.id) where states.isEmpty || states.contains(item.state) {
        table.add(cells(item))
      }
      table.print(output)
    }
  }

  struct Show: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Show one image of a run at each sigma, with votes and every computation on record.",
      discussion: """
        rrcm item show quickstart-certify 17
        rrcm item show quickstart-certify 17 --chunks --output json

        Next: rrcm radius --hits HITS --draws N --sigma SIGMA
        """)
    static let layouts = [
      RowLayout(columns: columns, isRecord: true),
      RowLayout(option: "--votes", columns: ["item", "sigma", "phase", "class", "name", "votes"]),
      RowLayout(
        option: "--chunks",
        columns: [
          "item", "sigma", "phase", "chunk", "stored", "samples", "classes", "votes", "worker", "compute_ms", "posted",
        ]),
      RowLayout(
        option: "--attempts",
        columns: ["item", "sigma", "unit", "outcome", "worker", "epoch", "alone", "at", "retried", "error"]),
    ]

    @Argument(help: "Number or name of the run.", completion: .runs)
    var run: String
    @Argument(help: "Index of the image in its image set.")
    var image: Int
    @Flag(name: .long, help: "Print only votes by class, summed over chunks, by phase.")
    var votes = false
    @Flag(name: .long, help: "Print only the chunks: who computed each, how long it took, and any that disagreed.")
    var chunks = false
    @Flag(name: .long, help: "Print only the attempts that failed: by whom, when, how, and the error.")
    var attempts = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
      if [votes, chunks, attempts].count(where: { $0 }) > 1 {
        throw ValidationError("--votes, --chunks and --attempts exclude each other; give one of them")
      }
    }

    func run() async throws {
      let store = try await Context().store("item")
      let record = try await RunCommand.find(run, in: store)
      let items = try await store.items(ofRun: record.id, image: image)
      guard !items.isEmpty else {
        throw CommandFailure(
          "run \(record.id) (\(record.name)) has no image \(image); see: rrcm item list \(record.name)",
          status: .badInput)
      }
      let sigmas = Dictionary(uniqueKeysWithValues: items.map { ($0.id, $0.sigma) })
      if attempts {
        OutputTable(Self.layouts[3], attempts: try await store.attempts(ofItems: items.map(\.id), run: 0)).print(output)
        return
      }
      if chunks {
        var table = OutputTable(Self.layouts[2])
        for chunk in try await store.chunks(ofItems: items.map(\.id)) {
          table.add([
            .int(chunk.itemID), .text(sigmas[chunk.itemID]), .text(Self.phase(Int(chunk.phase))), .int(chunk.chunk),
            .bool(chunk.isStored), .int(chunk.samples),
            .text(chunk.classes.map { String($0) }.joined(separator: " ")),
            .text(chunk.votes.map { String($0) }.joined(separator: " ")), .text(chunk.worker),
            .double(chunk.computeMilliseconds), .text(chunk.postedAt),
          ])
        }
        table.print(output)
        return
      }
      let names = try await store.dataset(record.datasetDigest)?.classes ?? []
      var tally = OutputTable(Self.layouts[1])
      for phase in 0...1 {
        let counts = try await store.votes(ofItems: items.map(\.id), phase: phase)
        for item in items {
          for (winner, votes) in (counts[item.id] ?? [:]).sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            tally.add([
              .int(item.id), .text(item.sigma), .text(Self.phase(phase)), .int(winner),
              .text(names.indices.contains(winner) ? names[winner] : nil), .int(votes),
            ])
          }
        }
      }
      if votes {
        tally.print(output)
        return
      }
      var table = OutputTable(Self.layouts[0])
      for item in items { table.add(cells(item)) }
      table.print(output)
      if output.output == .table, !tally.rows.isEmpty { Console.out("\n" + tally.text(.table)) }
      let failures = OutputTable(Self.layouts[3], attempts: try await store.attempts(ofItems: items.map(\.id), run: 0))
      if output.output == .table, !failures.rows.isEmpty { Console.out("\n" + failures.text(.table)) }
    }

    private static func phase(_ phase: Int) -> String { phase == 0 ? "selection" : "estimation" }
  }
}
