internal import Compute
internal import Models
internal import Tensors

/// Tensors of a network in one block of memory, in the order of their layout.
///
/// Parameters, gradients and optimizer moments are stores of one layout, so one offset finds a tensor in all of them.
final class ParameterStore {
  struct Place {
    let entry: ParameterLayout.Entry
    let offset: Int
    let count: Int
  }

  let places: [Place]
  private let index: [String: Int]
  let buffer: Buffer

  /// All zero.
  init(_ entries: [ParameterLayout.Entry]) {
    var places: [Place] = []
    var offset = 0
    for entry in entries {
      let count = entry.shape.reduce(1, *)
      places.append(Place(entry: entry, offset: offset, count: count))
      offset += (count + 15) / 16 * 16
    }
    self.places = places
    index = Dictionary(uniqueKeysWithValues: places.enumerated().map { ($1.entry.name, $0) })
    buffer = Buffer(offset)
  }

  /// A tensor of the layout.
  subscript(name: String) -> Floats {
    guard let i = index[name] else { preconditionFailure("the layout has no tensor \(name)") }
    return buffer.base + places[i].offset
  }

  func contains(_ name: String) -> Bool { index[name] != nil }

  /// Names of tensors with a value that is not finite.
  var notFinite: [String] {
    places.filter { place in
      UnsafeBufferPointer(start: pointer(place), count: place.count).contains { !$0.isFinite }
    }.map(\.entry.name)
  }

  func pointer(_ place: Place) -> Floats { buffer.base + place.offset }

  /// Copies every tensor of the layout from `state`, where it is called `prefix` + name; others there are ignored.
  /// - Throws: `ComputeError` listing each tensor that is missing or of another shape.
  func load(_ state: any TensorSource, prefix: String = "", parametersOnly: Bool = false) throws {
    let wanted = places.filter { !parametersOnly || $0.entry.isParameter }
    try requireTensors(wanted.map(\.entry), in: state, prefix: prefix)
    for place in wanted {
      state[prefix + place.entry.name]!.values.withUnsafeBufferPointer { values in
        pointer(place).update(from: values.baseAddress!, count: place.count)
      }
    }
  }

  /// Every tensor, or the trained ones, as host tensors called `prefix` + name.
  func state(prefix: String = "", parametersOnly: Bool = false) -> StateDict {
    StateDict(
      places.filter { !parametersOnly || $0.entry.isParameter }.map { place in
        let values = [Float](UnsafeBufferPointer(start: pointer(place), count: place.count))
        return (prefix + place.entry.name, Tensor(shape: place.entry.shape, values: values))
      })
  }
}
