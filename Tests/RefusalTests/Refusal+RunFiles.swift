extension Refusal {
  /// A run file that is in order, with lines changed or added.
  private static func run(_ what: String, _ yaml: String, _ says: String...) -> Refusal {
    Refusal(what, yaml: yaml, says)
  }

  private init(_ what: String, yaml: String, _ says: [String]) {
    self.what = what
    arguments = ["run", "submit", "$F/run.yaml"]
    files = ["run.yaml": utf8(yaml)]
    environment = [:]
    (before, after, shell) = (nil, nil, nil)
    status = 64
    self.says = says
  }

  private static func certify(
    smoothing: String = "sigma: [0.25], n0: 10, n: 100", dataset: String = "name: digits", checkpoint: String = "net",
    more: String = ""
  ) -> String {
    """
    kind: certify
    name: probe
    checkpoint: \(checkpoint)
    dataset: {\(dataset)}
    smoothing: {\(smoothing)}
    \(more)
    """
  }

  static let runFiles: [Refusal] = [
    run("an empty file", "", "the run file is null", "kind: certify"),
    run("no kind", "name: x", "kind is missing", "pretrain, finetune, certify"),
    run("a misspelt kind", "kind: certfy", "kind is \"certfy\"", "one of pretrain, finetune, certify"),
    run("broken YAML", "kind: [certify", "not valid YAML"),
    run("a key twice", "kind: certify\nname: a\nname: b", "not valid YAML", "name"),
    run(
      "a misspelt key", certify(more: "smothing: {n: 5}"), "smothing is not a setting", "did you mean \"smoothing\"?"),
    run(
      "a misspelt key in a group", certify(smoothing: "sigmma: [0.5]"), "smoothing.sigmma is not a setting",
      "did you mean \"sigma\"?"),
    run(
      "an unknown key", certify(more: "zebra: 1"), "zebra is not a setting",
      "known keys: audit, checkpoint, chunk_samples"),
    run(
      "a list in place of a group", "kind: certify\nname: a\nsmoothing: [0.25]", "smoothing is [0.25]",
      "a group of settings"),
    run("a name with a slash", certify().replacing("probe", with: "a/b"), "name is \"a/b\"", "letters, digits or -_.+"),
    run("a name that is a number", certify().replacing("probe", with: "12"), "name is 12", "must not be a number"),
    Refusal(
      "a file that is missing", ["run", "submit", "$F/none.yaml"], says: "none.yaml cannot be read", "check the path"),
    Refusal(
      "a file that is not text", ["run", "submit", "$F/x.yaml"], files: ["x.yaml": [0xFF, 0xFE, 0]],
      says: "is not UTF-8 text", "a run file is YAML"),
    Refusal(
      "two files with one name", ["run", "submit", "$F/a.yaml", "$F/b.yaml"],
      files: ["a.yaml": utf8(certify()), "b.yaml": utf8(certify())], says: "name is \"probe\" in 2 of these run files",
      "a name of its own"),
    Refusal(
      "a good file beside a bad one", ["run", "submit", "$F/a.yaml", "$F/b.yaml"],
      files: ["a.yaml": utf8(certify()), "b.yaml": utf8("kind: paint")], says: "b.yaml: kind is \"paint\""),
  ]

  static let settings: [Refusal] = [
    run(
      "n below n0", certify(smoothing: "sigma: [0.25], n0: 1000, n: 100"), "smoothing.n0 is 1000", "smoothing.n (100)",
      "lower"),
    run(
      "n that can never certify", certify(smoothing: "sigma: [0.25], n0: 5, n: 9"), "smoothing.n is 9",
      "even a unanimous vote", "raise n to 10 or more, or raise alpha"),
    run("n of zero", certify(smoothing: "sigma: [0.25], n: 0"), "smoothing.n is 0", "from 1 to"),
    run("n that is not whole", certify(smoothing: "sigma: [0.25], n: 1.5"), "smoothing.n is 1.5", "a whole number"),
    run(
      "alpha of zero", certify(smoothing: "sigma: [0.25], alpha: 0"), "smoothing.alpha is 0", "above 0 and at most 0.5"),
    run(
      "alpha above one half", certify(smoothing: "sigma: [0.25], alpha: 0.51"), "smoothing.alpha is 0.51", "at most 0.5"
    ),
    run(
      "alpha that is no number", certify(smoothing: "sigma: [0.25], alpha: .nan"), "smoothing.alpha is nan",
      "a finite number"),
    run("sigma of zero", certify(smoothing: "sigma: [0]"), "smoothing.sigma is [0]", "positive numbers up to 1000"),
    run(
      "sigma below zero", certify(smoothing: "sigma: [0.25, -0.5]"), "smoothing.sigma is [0.25, -0.5]",
      "positive numbers"),
    run("sigma that is no number", certify(smoothing: "sigma: [.nan]"), "smoothing.sigma is [nan]", "positive numbers"),
    run("sigma above the largest", certify(smoothing: "sigma: [1001]"), "smoothing.sigma is [1001]", "up to 1000"),
    run(
      "sigma too small for its grid", certify(smoothing: "sigma: [0.0001], m: 1"), "smoothing.sigma is [0.0001]",
      "too small for grid m 1; raise m"),
    run(
      "sigma too small for any grid", certify(smoothing: "sigma: [1.0e-30]"), "smoothing.sigma is",
      "too small for grid m 65536; raise sigma"),
    run(
      "sigma too large for its grid", certify(smoothing: "sigma: [900]"), "smoothing.sigma is [900]", "lower m or sigma"
    ),
    run(
      "a sigma twice", certify(smoothing: "sigma: [0.5, 0.50]"), "smoothing.sigma is [0.5, 0.5]",
      "must not name a level twice"),
    run("no sigma", certify(smoothing: "sigma: []"), "smoothing.sigma is []", "for example [0.25, 0.5, 1.0]"),
    run(
      "an unknown sampler", certify(smoothing: "sigma: [0.25], sampler: gird"), "smoothing.sampler is \"gird\"",
      "one of grid, gaussian"),
    run("a stride of zero", certify(dataset: "name: digits, every: 0"), "dataset.every is 0", "at least 1"),
    run(
      "a negative image", certify(dataset: "name: digits, indices: [-1]"), "dataset.indices is [-1]",
      "different whole numbers"),
    run("a chunk of nothing", certify(more: "chunk_samples: 0"), "chunk_samples is 0", "from 1 to 1000000"),
    run(
      "a training batch of nothing",
      "kind: pretrain\nname: p\ndataset: {name: digits}\nmodel: {patch: 4, width: 30, depth: 1, heads: 4}\ntraining: {batch: 0}",
      "training.batch is 0", "model.width is 30", "a multiple of model.heads (4)"),
    Refusal(
      "an override without a value", ["run", "submit", "$F/r.yaml", "--set", "smoothing.n"],
      files: ["r.yaml": utf8(certify())], says: "--set smoothing.n has no \"=\"", "smoothing.n=1000"),
    Refusal(
      "an override of an unknown key", ["run", "submit", "$F/r.yaml", "--set", "smoothing.nn=5"],
      files: ["r.yaml": utf8(certify())], says: "smoothing.nn is not a setting", "did you mean"),
    Refusal(
      "a wrong variable", ["run", "submit", "$F/r.yaml"], files: ["r.yaml": utf8(certify())],
      environment: ["RRCM_RUN_SMOOTHING__N": "many"], says: "smoothing.n is \"many\"", "a whole number"),
  ]

  static let names: [Refusal] = [
    run("an unknown checkpoint", certify(checkpoint: "nett"), "checkpoint is \"nett\"", "Known: encoder, net"),
    run("an unknown image set", certify(dataset: "name: digitz"), "dataset.name is \"digitz\"", "digits"),
    run("an unknown split", certify(dataset: "name: digits, split: test"), "dataset.split is \"test\"", "heldout"),
    run(
      "an image outside the split", certify(dataset: "name: digits, indices: [99]"), "dataset.indices names 99",
      "name images of that split"),
    run(
      "a stride that leaves nothing", certify(dataset: "name: digits, offset: 500"), "dataset selects no image",
      "check split, offset and limit"),
    run(
      "a network for other images", certify(dataset: "name: colour, split: heldout"), "checkpoint is \"net\"", "1×8×8",
      "3×8×8"),
    run(
      "a network without head", certify(checkpoint: "encoder"), "checkpoint is \"encoder\"",
      "without a linear head; fine-tune it first"),
    run(
      "a batch larger than the images",
      "kind: pretrain\nname: p\ndataset: {name: digits, split: heldout}\nmodel: {patch: 4, width: 8, depth: 1, heads: 2}\ntraining: {batch: 1024}",
      "training.batch is 1024", "lower it"),
    Refusal("a run that is not there", ["run", "show", "nobody"], says: "no run \"nobody\"", "rrcm run list"),
    Refusal(
      "a report of no run", ["report", "nobody"], says: "no run and no imported log \"nobody\"", "see: rrcm run list"),
    Refusal(
      "an export of no run", ["export", "certificates", "99"], says: "no run and no imported log \"99\"",
      "see: rrcm run list"),
    Refusal(
      "an image set that is not there", ["dataset", "show", "nothing"], says: "no image set \"nothing\"",
      "rrcm dataset list"),
    Refusal(
      "a checkpoint that is not there", ["checkpoint", "show", "nothing"], says: "no checkpoint \"nothing\"",
      "rrcm checkpoint list"),
    Refusal(
      "another image set under a name that is taken", ["dataset", "import", "digits", "$F/d.csv"],
      files: ["d.csv": utf8(String(repeating: "1,", count: 64) + "3\n")],
      says: "an image set named \"digits\" with other content",
      "choose another --name"),
  ]
}
