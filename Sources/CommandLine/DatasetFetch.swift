internal import ArgumentParser
internal import Artifacts
internal import Datasets
internal import Foundation
internal import Store
internal import Tensors

struct DatasetFetch: AsyncParsableCommand, AnswersWithRows {
  static let layouts = [NewImageSet.layout]
  static let configuration = CommandConfiguration(
    commandName: "fetch", abstract: "Download a published image set, check it against its known digest, and import it.",
    discussion: """
      rrcm dataset fetch cifar10
      rrcm dataset fetch cifar10 --url https://mirror.example/cifar-10-binary.tar.gz

      cifar10  60,000 colour images of 32×32, 170 MB, from its authors' page
      A broken download is taken up again, also by the next call.
      Next: rrcm dataset show NAME
      """)

  enum Kind: String, ExpressibleByArgument, CaseIterable { case cifar10 }

  @Argument(help: "cifar10.")
  var kind: Kind
  @Option(name: .long, help: "Fetch the same file from here instead.")
  var url: String?
  @Option(name: .long, help: "SHA-256 of the file at --url, if it is another one than the authors'.")
  var sha256: String?
  @Option(name: .long, help: "Name for run files.")
  var name = "cifar10"
  @Flag(name: .long, help: "Keep the archive in RRCM_HOME/downloads.")
  var keep = false
  @Flag(name: .long, help: "Say what would be fetched and recorded, without doing it.")
  var dryRun = false
  @OptionGroup var output: OutputOptions

  /// As the authors publish it: https://www.cs.toronto.edu/~kriz/cifar.html gives the MD5.
  static let published = (
    address: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", file: "cifar-10-binary.tar.gz",
    content: ExpectedContent(
      sha256: SHA256(hex: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
      md5: "c32a1d4ab5d03f1284b67883e8d87530", size: 170_052_171)
  )

  func validate() throws {
    if let sha256 {
      guard SHA256(hex: sha256) != nil else {
        throw ValidationError("--sha256 is \(sha256); it must be 64 hexadecimal digits")
      }
      guard url != nil else {
        throw ValidationError("--sha256 belongs to --url, which is missing; give both or neither")
      }
    }
    if let url {
      do { _ = try WebAddress(url) } catch { throw ValidationError("--url: \(error.message)") }
    }
  }

  func run() async throws {
    let context = Context()
    let address = try WebAddress(url ?? Self.published.address)
    let expected = sha256.map { ExpectedContent(sha256: SHA256(hex: $0)) } ?? Self.published.content
    let source = "\(address) sha256:\(expected.sha256!.hex)"
    let store = try await context.store("dataset")
    if let known = try await store.dataset(name), known.name == name {
      guard known.source == source else {
        throw CommandFailure(
          "an image set named \"\(name)\" from \(known.source) is recorded; choose another --name, or see:"
            + " rrcm dataset show \(name)", status: .badInput)
      }
      Console.say("\"\(name)\" was fetched on \(known.importedAt); see: rrcm dataset show \(name)")
      return
    }
    guard !dryRun else {
      Console.say("dry run: would fetch \(address) and record it as \"\(name)\"")
      return
    }
    let folder = "\(context.home)/downloads"
    let path = "\(folder)/\(expected.sha256!.hex.prefix(12))-\(Self.published.file)"
    let scratch = try context.artifacts().directory
    let images = try await offPool {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      var said = ContinuousClock.now
      try Downloader().fetch(Download(address.text, to: path, expected: expected)) { received, total in
        guard ContinuousClock.now - said >= .seconds(5) else { return }
        said = .now
        let whole = total.map { " of \($0 >> 20)" } ?? ""
        Console.say("\(Console.stamp()) \(received >> 20)\(whole) MiB")
      }
      return try CIFAR10.read(path: path, name: name, scratch: scratch)
    }
    let set = NewImageSet(images, source: source)
    try await set.record(context)
    if !keep { try? FileManager.default.removeItem(atPath: path) }
    set.table.print(output)
  }
}
