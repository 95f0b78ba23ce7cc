internal import Tensors

/// Reads the pickle inside a PyTorch file as data. Nothing is executed and nothing is imported.
///
/// The instructions that `torch.save` writes for numbers, text, containers and tensors are understood; the few functions
/// they may name are carried out here, in this file. Any other name is refused. Containers live in flat arrays and refer
/// to each other by position, so that neither deep nor circular nesting costs more than the file's own length.
struct PickleReader {
  enum Value: Sendable {
    case none
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    /// Positions in `lists` and `dictionaries`.
    case tuple(Int)
    case list(Int)
    case dictionary(Int)
    case function(Function)
    case storage(type: ElementType, content: Bytes)
    case tensor(TorchTensor)
    case mark
  }

  enum Function: Sendable {
    case orderedDictionary
    case tensor
    case parameter
    case storageClass(ElementType)
  }

  private(set) var lists: [[Value]] = []
  private(set) var dictionaries: [[(key: Value, value: Value)]] = []

  private let bytes: [UInt8]
  private let file: String
  /// Gives the storage of a key.
  private let storage: (String) -> Bytes?
  private var position = 0
  private var stack: [Value] = []
  private var memo: [Int: Value] = [:]
  /// A state dict of a thousand tensors takes a few hundred kilobytes; memory used is at most some hundred times this.
  private static let maximumSize = 1 << 22

  init(_ bytes: Bytes, file: String, storage: @escaping (String) -> Bytes?) throws(FormatError) {
    self.file = file
    self.storage = storage
    guard bytes.count <= Self.maximumSize else {
      throw FormatError(
        file: file, field: "pickle", value: "\(bytes.count) bytes", remedy: "at most \(Self.maximumSize) are read")
    }
    self.bytes = bytes.array
  }

  /// The pickled value.
  mutating func read() throws(FormatError) -> Value {
    while true {
      let instruction = try byte()
      if instruction == UInt8(ascii: ".") {
        let result = try pop()
        guard stack.isEmpty else { throw damaged("values are left over at the end") }
        return result
      }
      try execute(instruction)
    }
  }

  func damaged(_ what: String) -> FormatError {
    FormatError(
      file: file, field: "pickle at byte \(position)", value: "malformed (\(what))",
      remedy: "the file is damaged or was not written by torch.save")
  }

  func refused(_ what: String) -> FormatError {
    FormatError(
      file: file, field: "pickle", value: "in need of \(what)",
      remedy: "only tensors, numbers, text and plain containers are read, and nothing is executed;"
        + " save the weights alone: torch.save(model.state_dict(), path)")
  }

  // MARK: Instructions

  private mutating func execute(_ instruction: UInt8) throws(FormatError) {
    switch instruction {
    case 0x80:  // PROTO
      let version = try byte()
      guard (2...5).contains(version) else { throw refused("pickle protocol \(version)") }
    case 0x95: _ = try take(8)  // FRAME
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.int(Int(try byte())))
    case UInt8(ascii: "M"): stack.append(.int(Int(try unsigned(2))))
    case UInt8(ascii: "J"): stack.append(.int(Int(Int32(bitPattern: UInt32(try unsigned(4))))))
    case 0x8A: stack.append(.int(try longInteger()))
    case UInt8(ascii: "G"): stack.append(.double(Double(bitPattern: try unsigned(8).byteSwapped)))
    case UInt8(ascii: "X"): stack.append(.string(try text(length: Int(try unsigned(4)))))
    case 0x8C: stack.append(.string(try text(length: Int(try byte()))))
    case UInt8(ascii: "}"): appendDictionary()
    case UInt8(ascii: "]"): stack.append(.list(newList([])))
    case UInt8(ascii: ")"): stack.append(.tuple(newList([])))
    case UInt8(ascii: "("): stack.append(.mark)
    case UInt8(ascii: "t"):
      let values = try popToMark()
      stack.append(.tuple(newList(values)))
    case 0x85, 0x86, 0x87:  // TUPLE1 ... TUPLE3
      var values: [Value] = []
      for _ in 0..<Int(instruction) - 0x84 { values.insert(try pop(), at: 0) }
      stack.append(.tuple(newList(values)))
    case UInt8(ascii: "a"): try appendToList([try pop()])
    case UInt8(ascii: "e"): try appendToList(try popToMark())
    case UInt8(ascii: "s"):
      let value = try pop()
      try setItems([try pop(), value])
    case UInt8(ascii: "u"): try setItems(try popToMark())
    case UInt8(ascii: "q"): try remember(Int(try byte()))
    case UInt8(ascii: "r"): try remember(Int(try unsigned(4)))
    case 0x94: try remember(memo.count)
    case UInt8(ascii: "h"): try recall(Int(try byte()))
    case UInt8(ascii: "j"): try recall(Int(try unsigned(4)))
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "c"): stack.append(.function(try function(module: try line(), name: try line())))
    case 0x93:  // STACK_GLOBAL
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw damaged("a function's name is not text")
      }
      stack.append(.function(try function(module: module, name: name)))
    case UInt8(ascii: "Q"): stack.append(try loadStorage(try pop()))
    case UInt8(ascii: "R"):
      let arguments = try pop()
      stack.append(try call(try pop(), arguments))
    case UInt8(ascii: "b"):
      // The only state seen is the version record that an ordered dictionary of weights carries; it says nothing.
      _ = try pop()
      guard case .dictionary? = stack.last else { throw refused("an object's state") }
    default:
      throw refused("pickle instruction 0x\(String(instruction, radix: 16))")
    }
  }

  // MARK: Operands

  private mutating func take(_ count: Int) throws(FormatError) -> ArraySlice<UInt8> {
    guard count <= bytes.count - position else { throw damaged("cut short") }
    defer { position += count }
    return bytes[position..<position + count]
  }

  private mutating func byte() throws(FormatError) -> UInt8 { try take(1).first! }

  private mutating func unsigned(_ width: Int) throws(FormatError) -> UInt64 {
    try take(width).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func longInteger() throws(FormatError) -> Int {
    let width = Int(try byte())
    guard width <= 8 else { throw damaged("an integer of more than 64 bits") }
    guard width > 0 else { return 0 }
    let shift = 64 - 8 * width
    return Int(Int64(bitPattern: try unsigned(width) << shift) >> shift)
  }

  private mutating func text(length: Int) throws(FormatError) -> String {
    guard let text = String(validating: try take(length), as: UTF8.self) else { throw damaged("text is not UTF-8") }
    return text
  }

  private mutating func line() throws(FormatError) -> String {
    guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else { throw damaged("cut short") }
    let text = try text(length: end - position)
    position += 1
    return text
  }

  // MARK: Stack, memo, containers

  private mutating func pop() throws(FormatError) -> Value {
    guard let value = stack.popLast() else { throw damaged("a value is missing") }
    if case .mark = value { throw damaged("a value is missing") }
    return value
  }

  private mutating func popToMark() throws(FormatError) -> [Value] {
    let isMark: (Value) -> Bool = { if case .mark = $0 { true } else { false } }
    guard let mark = stack.lastIndex(where: isMark) else { throw damaged("a mark is missing") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[(mark + 1)...])
  }

  private mutating func remember(_ key: Int) throws(FormatError) {
    guard let value = stack.last else { throw damaged("a value is missing") }
    memo[key] = value
  }

  private mutating func recall(_ key: Int) throws(FormatError) {
    guard let value = memo[key] else { throw damaged("a reference to nothing") }
    stack.append(value)
  }

  private mutating func newList(_ values: [Value]) -> Int {
    lists.append(values)
    return lists.count - 1
  }

  private mutating func appendDictionary() {
    dictionaries.append([])
    stack.append(.dictionary(dictionaries.count - 1))
  }

  private mutating func appendToList(_ values: [Value]) throws(FormatError) {
    guard case .list(let index)? = stack.last else { throw damaged("values for something that is no list") }
    lists[index].append(contentsOf: values)
  }

  private mutating func setItems(_ items: [Value]) throws(FormatError) {
    guard case .dictionary(let index)? = stack.last, items.count.isMultiple(of: 2) else {
      throw damaged("items for something that is no dictionary")
    }
    for i in stride(from: 0, to: items.count, by: 2) { dictionaries[index].append((items[i], items[i + 1])) }
  }

  // MARK: The functions that may be named

  private static let storageClasses: [String: ElementType] = [
    "FloatStorage": .float32, "DoubleStorage": .float64, "HalfStorage": .float16, "BFloat16Storage": .bfloat16,
    "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8,
    "BoolStorage": .bool,
  ]

  private func function(module: String, name: String) throws(FormatError) -> Function {
    switch (module, name) {
    case ("collections", "OrderedDict"): return .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): return .tensor
    case ("torch._utils", "_rebuild_parameter"): return .parameter
    case ("torch", _):
      guard let type = Self.storageClasses[name] else { throw refused("\(module).\(name)") }
      return .storageClass(type)
    default: throw refused("\(module).\(name)")
    }
  }

  private mutating func call(_ function: Value, _ arguments: Value) throws(FormatError) -> Value {
    guard case .function(let function) = function, case .tuple(let index) = arguments else {
      throw damaged("a call of something that is no function")
    }
    let arguments = lists[index]
    switch function {
    case .orderedDictionary:
      guard arguments.isEmpty else { throw refused("an ordered dictionary made from arguments") }
      dictionaries.append([])
      return .dictionary(dictionaries.count - 1)
    case .tensor: return .tensor(try tensor(arguments))
    case .parameter:
      guard case .tensor(let tensor)? = arguments.first else { throw damaged("a parameter without its tensor") }
      return .tensor(tensor)
    case .storageClass: throw refused("a storage outside the archive's data")
    }
  }

  /// The persistent id `("storage", class, key, device, element count)`.
  private func loadStorage(_ id: Value) throws(FormatError) -> Value {
    guard case .tuple(let index) = id, lists[index].count == 5, case .string("storage") = lists[index][0],
      case .function(.storageClass(let type)) = lists[index][1], case .string(let key) = lists[index][2],
      case .int(let count) = lists[index][4]
    else { throw damaged("a storage reference") }
    guard let content = storage(key) else { throw damaged("storage \"\(key)\" is not in the archive") }
    let (size, overflow) = count.multipliedReportingOverflow(by: type.size)
    guard count >= 0, !overflow, size == content.count else {
      throw damaged("storage \"\(key)\" has \(content.count) bytes, not \(count) elements of \(type.size)")
    }
    return .storage(type: type, content: content)
  }

  /// Arguments: storage, offset, shape, strides, and flags that do not matter here.
  private func tensor(_ arguments: [Value]) throws(FormatError) -> TorchTensor {
    guard arguments.count >= 4, case .storage(let type, let content) = arguments[0],
      case .int(let offset) = arguments[1],
      let shape = integers(arguments[2]), let strides = integers(arguments[3])
    else { throw damaged("a tensor's arguments") }
    guard
      let tensor = TorchTensor(type: type, shape: shape, strides: strides, offset: offset, storage: content)
    else {
      throw damaged(
        "a tensor of shape \(shape.prefix(8)), strides \(strides.prefix(8)) and offset \(offset) does not fit its"
          + " storage of \(content.count) bytes")
    }
    return tensor
  }

  private func integers(_ value: Value) -> [Int]? {
    guard case .tuple(let index) = value else { return nil }
    var numbers: [Int] = []
    for element in lists[index] {
      guard case .int(let number) = element else { return nil }
      numbers.append(number)
    }
    return numbers
  }
}
