import TestSupport

extension Refusal {
  /// A safetensors file of a header and its data.
  private static func model(_ header: String, data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
    withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { [UInt8]($0) } + utf8(header) + data
  }

  private static func tensor(_ name: String, _ type: String, _ shape: String, _ range: String) -> String {
    #""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(range)}"#
  }

  /// The good checkpoint's description beside another model.
  private static func folder(_ what: String, _ model: [UInt8], _ says: String...) -> Refusal {
    Refusal(what, files: ["net/model.safetensors": model], says: says)
  }

  private init(_ what: String, files: [String: [UInt8]], says: [String]) {
    self.init(what, ["checkpoint", "import", "$F/net", "--name", "evil"], files: files, extra: says)
  }

  private init(_ what: String, _ arguments: [String], files: [String: [UInt8]], extra: [String]) {
    self.what = what
    self.arguments = arguments
    self.files = files
    environment = [:]
    (before, after, shell) = (nil, nil, nil)
    status = 64
    says = extra
  }

  static let checkpointFolders: [Refusal] = [
    folder("an empty model file", [], "file size is 0 bytes", "cut short"),
    folder("a header longer than the file", model("{}", length: 400), "header length is 400", "cut short"),
    folder("a header length past 64 bits signed", model("{}", length: .max), "header length is 18446744073709551615"),
    folder("a header that is not JSON", model("{]"), "JSON at byte 1", "one valid JSON document"),
    folder("a header nested without end", model(String(repeating: "[", count: 5000)), "nested deeper than 64 levels"),
    folder(
      "a tensor twice",
      model("{\(tensor("a", "U8", "[1]", "[0,1]")),\(tensor("a", "U8", "[1]", "[0,1]"))}", data: [0]),
      "the key \"a\" for the second time"),
    folder(
      "overlapping tensors",
      model("{\(tensor("a", "U8", "[2]", "[0,2]")),\(tensor("b", "U8", "[2]", "[1,3]"))}", data: [0, 0, 0]),
      "tensor \"b\" data_offsets is 1 at its beginning", "overlaps the tensor before it"),
    folder(
      "a hole between tensors",
      model("{\(tensor("a", "U8", "[1]", "[0,1]")),\(tensor("b", "U8", "[1]", "[2,3]"))}", data: [0, 0, 0]),
      "tensor \"b\" data_offsets is 2", "belong to no tensor"),
    folder(
      "a shape whose product overflows", model("{\(tensor("a", "F32", "[4294967296,4294967296]", "[0,0]"))}"),
      "tensor \"a\" shape is [4294967296,4294967296]", "a product that fits"),
    folder(
      "a range that is not whole elements", model("{\(tensor("a", "F32", "[1]", "[0,3]"))}", data: [0, 0, 0]),
      "tensor \"a\" data_offsets is 3 bytes", "F32 of shape [1] takes 4"),
    folder(
      "an unknown type", model("{\(tensor("a", "F7", "[1]", "[0,1]"))}", data: [0]),
      "tensor \"a\" dtype is \"F7\"", "known types are F64, F32"),
    folder(
      "a range past the end", model("{\(tensor("a", "U8", "[9]", "[0,9]"))}", data: [0]),
      "tensor \"a\" data_offsets is [0,9]", "the file may be cut short"),
    folder("other tensors than the network's", model("{}"), "missing cls_token, pos_embed", "belong together"),
    Refusal(
      "a description with an unknown and a wrong member",
      files: [
        "net/config.json": utf8(
          #"{"format":"rrcm-checkpoint-1","kind":"classifier","model":{"depth":-1,"hight":3},"provenance":{}}"#)
      ], says: ["model.depth is -1", "model.hight is unknown", "model.width is missing"]),
    Refusal(
      "a description that is not JSON", files: ["net/config.json": utf8("kind: classifier")], says: ["JSON at byte"]),
  ]

  private static func torch(
    _ what: String, _ file: [UInt8], flags: [String] = ["--heads", "1", "--final-norm", "false"],
    _ says: String...
  ) -> Refusal {
    Refusal(
      what, ["checkpoint", "import", "$F/x.pt", "--levels", "81"] + flags, files: ["x.pt": file], extra: says)
  }

  /// A zip with one stored entry, as PyTorch writes it.
  private static func zip(_ pickle: [UInt8], method: UInt8 = 0, name: String = "x/data.pkl") -> [UInt8] {
    func little(_ value: Int, _ width: Int) -> [UInt8] { (0..<width).map { UInt8(value >> (8 * $0) & 255) } }
    let common =
      [20, 0, 0, 0, method, 0, 0, 0, 0, 0] + little(0, 4) + little(pickle.count, 4) + little(pickle.count, 4)
    let local = [0x50, 0x4B, 3, 4] + common + little(name.utf8.count, 2) + [0, 0] + utf8(name) + pickle
    let central =
      [0x50, 0x4B, 1, 2, 20, 0] + common + little(name.utf8.count, 2) + [UInt8](repeating: 0, count: 16)
      + utf8(name)
    return local + central + [0x50, 0x4B, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0] + little(central.count, 4)
      + little(local.count, 4) + [0, 0]
  }

  private static let call: [UInt8] = utf8("cos\nsystem\nX") + [4, 0, 0, 0] + utf8("true") + [0x85] + utf8("R.")

  static let torchFiles: [Refusal] = [
    torch("a pickle that calls the system", zip([0x80, 2] + call), "os.system", "nothing is executed"),
    torch("a pickle that calls eval", zip([0x80, 2] + utf8("cbuiltins\neval\n.")), "builtins.eval", "state_dict()"),
    torch("a pickle cut short", zip([0x80, 2, 0x58, 9, 0]), "malformed (cut short)", "damaged"),
    torch("a pickle without values", zip([0x80, 2, 0x2E]), "malformed", "torch.save"),
    torch("a value that is no state dict", zip([0x80, 2, 0x4B, 7, 0x2E]), "no dictionary of tensors", "nnet.pth"),
    torch("a compressed entry", zip([0x80, 2], method: 8), "zip entry \"x/data.pkl\" is compressed", "torch.save"),
    torch("a zip without a pickle", zip([1], name: "x/readme"), "0 entries named data.pkl", "another kind of zip"),
    torch("a zip cut in its directory", Array(zip(call).dropLast(10)), "zip end record is missing", "cut short"),
    torch("a file from before PyTorch 1.6", [0x80, 2, 0x8A, 10], "before 1.6", "_use_new_zipfile_serialization"),
    torch("a picture", PNG.image(width: 1, height: 1), "not PyTorch's zip format", ".pth or .pt"),
    Refusal(
      "a missing file", ["checkpoint", "import", "$F/none.pt"], says: "none.pt", "No such file", "check the path"),
  ]
}
