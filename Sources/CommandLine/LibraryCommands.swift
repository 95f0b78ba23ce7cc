internal import ArgumentParser
internal import Artifacts
internal import Datasets
internal import Foundation
internal import Models
internal import Store
internal import Tensors
internal import Worker

struct DatasetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dataset", abstract: "Import image sets and look at them.",
    subcommands: [Import.self, DatasetFetch.self, List.self, Show.self])

  struct Import: AsyncParsableCommand, AnswersWithRows {
    static let layouts = [NewImageSet.layout]
    static let configuration = CommandConfiguration(
      abstract: "Pack images into a set named by its content hash and record it.",
      discussion: """
        rrcm dataset import digits digits.csv.gz
        rrcm dataset import imagefolder val.tar --name imagenet --size 224 --split val

        digits       the UCI handwritten digits: 64 grey values and a label a line
        cifar10      CIFAR-10's binary version: cifar-10-binary.tar.gz or its folder
        imagefolder  a directory or tar of class directories, or of a tar per class,
                     with JPEG or PNG files, resized and cropped to --size
        Next: rrcm dataset show NAME
        """)

    enum Kind: String, ExpressibleByArgument, CaseIterable { case digits, cifar10, imagefolder }

    @Argument(help: "digits, cifar10 or imagefolder.")
    var kind: Kind
    @Argument(help: "File or directory to read.")
    var path: String
    @Option(name: .long, help: "Name for run files; default: digits, cifar10, or the file's name.")
    var name: String?
    @Option(name: .long, help: "Image side after resize and centre crop (imagefolder).")
    var size: Int?
    @Option(name: .long, help: "Split of files that are under no split directory (imagefolder).")
    var split = "heldout"
    @Flag(name: .long, help: "Read and check, without storing anything.")
    var dryRun = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
      if kind == .imagefolder && size == nil {
        throw ValidationError("--size is missing; give the image side the network takes, for example --size 32")
      }
    }

    func run() async throws {
      let context = Context()
      // Pixels wait in the store's file system, which must have room for them anyway.
      let scratch = dryRun ? "/tmp" : try context.artifacts().directory
      let images = try await offPool { try read(scratch) }
      let set = NewImageSet(images, source: path)
      if !dryRun { try await set.record(context) }
      set.table.print(output)
      if dryRun { Console.say("dry run: nothing was stored") }
    }

    private func read(_ scratch: String) throws -> ImageSet {
      switch kind {
      case .digits:
        let images = try Digits.read(path: path)
        guard let name, name != images.name else { return images }
        return try ImageSet(
          name: name, classNames: images.classNames, channels: images.channels, height: images.height,
          width: images.width, images: images.images, labels: images.labels, splits: images.splits,
          sources: images.sources)
      case .cifar10: return try CIFAR10.read(path: path, name: name ?? "cifar10", scratch: scratch)
      case .imagefolder:
        let stem = (path as NSString).lastPathComponent.split(separator: ".").first.map(String.init) ?? "images"
        return try ImageFolder(name: name ?? stem, side: size!, split: split).read(path: path, scratch: scratch)
      }
    }
  }

  struct List: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "List imported image sets.",
      discussion: """
        rrcm dataset list
        rrcm dataset list --output json

        Next: rrcm dataset show NAME
        """)
    static let layouts = [
      RowLayout(columns: [
        "dataset", "digest", "images", "channels", "height", "width", "classes", "source", "imported",
      ])
    ]
    @OptionGroup var output: OutputOptions

    func run() async throws {
      var table = OutputTable(Self.layouts[0])
      for set in try await Context().store("dataset").datasets() {
        table.add([
          .text(set.name), .digest(set.digest), .int(set.imageCount), .int(set.channels), .int(set.height),
          .int(set.width), .int(set.classes.count), .text(set.source), .text(set.importedAt),
        ])
      }
      table.print(output)
    }
  }

  struct Show: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Show one image set: classes, splits, digest; with --images every image's label and hash.",
      discussion: """
        rrcm dataset show digits
        rrcm dataset show digits --images --output csv

        Next: rrcm run submit FILE.yaml
        """)
    static let layouts = [
      RowLayout(
        columns: [
          "dataset", "digest", "images", "channels", "height", "width", "classes", "source", "imported", "class_names",
          "splits",
        ], isRecord: true),
      RowLayout(option: "--images", columns: ["image", "split", "label", "class", "source", "sha256"]),
    ]
    @Argument(help: "Name, digest or first digits of the digest.", completion: .datasets)
    var dataset: String
    @Flag(name: .long, help: "List the images: split, label, source and SHA-256 of each.")
    var images = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let store = try await Context().store("dataset")
      guard let set = try await store.dataset(dataset) else {
        throw CommandFailure("no image set \"\(dataset)\"; see: rrcm dataset list", status: .badInput)
      }
      if images {
        var table = OutputTable(Self.layouts[1])
        for (index, image) in try await store.images(of: set.digest).enumerated() {
          table.add([
            .int(Int64(index)), .text(image.split), .int(Int64(image.label)), .text(set.classes[image.label]),
            .text(image.source), .digest(image.digest),
          ])
        }
        table.print(output)
        return
      }
      let splits = try await store.splits(of: set.digest)
      var table = OutputTable(Self.layouts[0])
      table.add([
        .text(set.name), .digest(set.digest), .int(set.imageCount), .int(set.channels), .int(set.height),
        .int(set.width), .int(set.classes.count), .text(set.source), .text(set.importedAt),
        .text(set.classes.joined(separator: ", ")),
        .text(splits.map { "\($0.split) \($0.images)" }.joined(separator: ", ")),
      ])
      table.print(output)
    }
  }
}

struct CheckpointCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint", abstract: "Import checkpoints, make random ones, and look at them.",
    subcommands: [Import.self, CheckpointInit.self, List.self, Show.self])

  struct Import: AsyncParsableCommand, AnswersWithRows {
    static let layouts = [Checkpoint.layout]
    static let configuration = CommandConfiguration(
      abstract: "Import a checkpoint of the authors' code (.pth, .pt) or one of ours (a folder).",
      discussion: """
        rrcm checkpoint import b.pt --heads 12 --final-norm false --levels 81
        rrcm checkpoint import exported/ --name again

        The authors' files do not hold heads, final norm and levels: they must be
        given. Nothing in a file is executed.
        Next: rrcm checkpoint show NAME
        """)
    @Argument(help: "File or folder.")
    var path: String
    @Option(name: .long, help: "Name for run files; default: the file's name.")
    var name: String?
    @Option(name: .long, help: "Attention heads.")
    var heads: Int?
    @Option(
      name: .long, help: "Whether the final LayerNorm stands before the head: true (ImageNet) or false (CIFAR-10).")
    var finalNorm: Bool?
    @Option(name: .long, help: "Noise levels in the classifier's grid; 81 for the published checkpoints.")
    var levels: Int?
    @Flag(name: .long, help: "Read and check, without storing anything.")
    var dryRun = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let imported = try await offPool { try read() }
      for note in imported.notes { Console.say("note: \(note)") }
      let checkpoint = imported.checkpoint
      let label = name ?? ((path as NSString).lastPathComponent as NSString).deletingPathExtension
      if !dryRun {
        try await checkpoint.record(as: label, source: path, Context())
      }
      checkpoint.table(label).print(output)
      if dryRun { Console.say("dry run: nothing was stored") }
    }

    private func read() throws -> (checkpoint: Checkpoint, notes: [String]) {
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue,
        FileManager.default.fileExists(atPath: "\(path)/\(Checkpoint.configurationName)")
      {
        return (try Checkpoint.read(folder: path), [])
      }
      let imported = try CheckpointImporter(heads: heads, finalNorm: finalNorm, levels: levels).read(path: path)
      return (imported.checkpoint, imported.notes)
    }
  }

  struct List: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "List checkpoints.",
      discussion: """
        rrcm checkpoint list
        rrcm checkpoint list --output json

        Next: rrcm checkpoint show NAME
        """)
    static let layouts = [RowLayout(columns: ["checkpoint", "digest", "kind", "source", "created", "run"])]
    @OptionGroup var output: OutputOptions

    func run() async throws {
      var table = OutputTable(Self.layouts[0])
      for checkpoint in try await Context().store("checkpoint").checkpoints() {
        table.add([
          .text(checkpoint.name), .digest(checkpoint.digest), .text(checkpoint.kind), .text(checkpoint.source),
          .text(checkpoint.createdAt), .int(checkpoint.runID),
        ])
      }
      table.print(output)
    }
  }

  struct Show: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Show one checkpoint: shape of the network, where it comes from; with --tensors every tensor.",
      discussion: """
        rrcm checkpoint show digits-finetune
        rrcm checkpoint show 3f2a9c01 --tensors --output json

        Next: rrcm run submit FILE.yaml
        """)
    static let layouts = [
      RowLayout(
        columns: [
          "checkpoint", "digest", "kind", "source", "created", "run", "channels", "image_size", "patch", "width",
          "depth", "heads", "mlp_ratio", "projector_hidden", "projector_output", "classes", "final_norm", "levels",
          "parameters",
        ], isRecord: true),
      RowLayout(option: "--tensors", columns: ["tensor", "shape", "elements"]),
    ]
    @Argument(help: "Name, digest or first digits of the digest.", completion: .checkpoints)
    var checkpoint: String
    @Flag(name: .long, help: "List every tensor: name, shape, elements.")
    var tensors = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let context = Context()
      guard let record = try await context.store("checkpoint").checkpoint(checkpoint) else {
        throw CommandFailure("no checkpoint \"\(checkpoint)\"; see: rrcm checkpoint list", status: .badInput)
      }
      let configuration = try JSONDecoder().decode(ViTConfiguration.self, from: Data(record.configuration.utf8))
      let layout = ParameterLayout(configuration)
      if tensors {
        var table = OutputTable(Self.layouts[1])
        for entry in layout.entries {
          table.add([
            .text(entry.name), .text(entry.shape.map(String.init).joined(separator: "×")),
            .int(entry.shape.reduce(1, *)),
          ])
        }
        table.print(output)
        return
      }
      let c = configuration
      var table = OutputTable(Self.layouts[0])
      table.add([
        .text(record.name), .digest(record.digest), .text(record.kind), .text(record.source), .text(record.createdAt),
        .int(record.runID), .int(c.channels), .int(c.imageSize), .int(c.patchSize), .int(c.width), .int(c.depth),
        .int(c.heads), .int(c.mlpRatio), .int(c.hasProjector ? c.projectorHidden : nil),
        .int(c.hasProjector ? c.projectorOutput : nil), .int(c.classes > 0 ? c.classes : nil),
        c.classes > 0 ? .bool(c.finalNorm) : .none, .int(c.classes > 0 ? c.levels : nil), .int(layout.parameterCount),
      ])
      table.print(output)
    }
  }
}

/// Runs blocking work on a thread of its own, away from the cooperative pool.
func offPool<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    let thread = Thread { continuation.resume(with: Result { try body() }) }
    thread.stackSize = 8 << 20
    thread.start()
  }
}
