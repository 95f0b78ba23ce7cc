internal import ArgumentParser
internal import Report
internal import Smoothing
internal import Store

extension Export {
  struct Votes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write a run's stored votes, chunk by chunk, with the protocol: all that its certificates rest on.",
      discussion: """
        rrcm export votes quickstart-certify > votes.jsonl
        rrcm export votes quickstart-certify --output csv > votes.csv

        docs/formats.md describes both forms; scripts/recheck.py votes.jsonl certificates.json checks every
        certificate, in every mode.
        Next: rrcm export certificates NAME --output json
        """)

    @Argument(help: "Number or name of the run.", completion: .runs)
    var run: String
    @Option(name: .long, help: "jsonl (an object per line) or csv; the protocol stands in the first line.")
    var output: VoteExport.Format = .jsonl

    func run() async throws {
      let store = try await Context().store("export")
      let voted = try await VotedRun(run, in: store)
      let (record, rules) = (voted.record, voted.rules)
      Console.out(
        VoteExport.head(
          VoteExport.Header(
            run: record.name, runID: record.id, mode: rules.mode, n0: rules.n0, n: rules.n,
            alpha: ExactDecimal(rules.alpha)!, sampler: rules.sampler, chunkSamples: rules.chunkSamples,
            seed: record.seed, checkpoint: record.checkpointDigest ?? "", dataset: record.datasetDigest,
            images: (record.imageIndices ?? []).map(Int.init),
            levels: rules.levels.map {
              VoteExport.Level(sigma: $0.sigma, m: $0.gridM, slack: $0.slack, tableDigest: $0.tableDigest)
            },
            targets: rules.targets, epsilon: rules.epsilon, looks: rules.looks),
          output))
      try await voted.forEachItem(in: store) { item, _, chunks in
        Console.out(
          chunks.filter(\.isStored).map { chunk in
            VoteExport.line(
              VoteExport.Chunk(
                sigma: item.sigma, imageIndex: Int(item.imageIndex), label: Int(item.label), phase: Int(chunk.phase),
                chunk: Int(chunk.chunk), samples: Int(chunk.samples), classes: chunk.classes, votes: chunk.votes,
                worker: chunk.worker, numericsID: item.numericsID ?? ""),
              output)
          }.joined())
      }
    }
  }
}

extension VoteExport.Format: ExpressibleByArgument {}
