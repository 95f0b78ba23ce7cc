import Datasets
import Tensors
import TestSupport
import Testing

@Suite struct CIFAR10Tests {
  @Test("the archive and its unpacked folder give one image set, train before test, in the files' order")
  func reads() throws {
    let folder = TemporaryFolder()
    let fixture = CIFAR10Fixture()
    let set = try CIFAR10.read(path: folder.write(fixture.archive, "cifar-10-binary.tar.gz"))
    #expect(set.count == 18 && set.channels == 3 && set.height == 32 && set.width == 32)
    #expect(set.indices(split: "train") == Array(0..<15) && set.indices(split: "test") == [15, 16, 17])
    #expect(set.classNames[6] == "frog" && set.labels.prefix(6) == [0, 1, 2, 1, 2, 3])
    #expect(set.sources[16] == "test_batch.bin record 1")
    #expect(set.image(16).array == Array(fixture.files[5].content[3074..<6146]))
    for file in fixture.files { folder.write(file.content, "unpacked/\(file.name)") }
    #expect(try CIFAR10.read(path: folder.path + "/unpacked") == set)
  }

  @Test("everything wrong with the files is said at once, with file, value and remedy")
  func refusals() {
    let folder = TemporaryFolder()
    var fixture = CIFAR10Fixture()
    fixture.change("data_batch_1.bin") { $0.removeLast() }
    fixture.change("data_batch_3.bin") { $0 = [] }
    fixture.files.removeAll { $0.name == "test_batch.bin" }
    let path = folder.write(fixture.archive, "x.tar.gz")
    let error = #expect(throws: RefusedFiles.self) { try CIFAR10.read(path: path) }
    for part in [
      "test_batch.bin: file is missing; give cifar-10-binary.tar.gz", "data_batch_1.bin: file size is 9218 bytes",
      "data_batch_3.bin: file size is 0 bytes", "multiple of 3073",
    ] { #expect(error?.description.contains(part) == true, "\(part): \(String(describing: error))") }
  }

  @Test("labels above 9 and a wrong number of class names are refused by record")
  func content() {
    let folder = TemporaryFolder()
    var fixture = CIFAR10Fixture()
    fixture.change("data_batch_2.bin") { $0[3073] = 10 }
    fixture.change("test_batch.bin") { $0[6146] = 255 }
    fixture.change("batches.meta.txt") { $0 = Array("cat\ndog\n".utf8) }
    let path = folder.write(fixture.archive, "x.tar.gz")
    let error = #expect(throws: RefusedFiles.self) { try CIFAR10.read(path: path) }
    for part in [
      "data_batch_2.bin: label of record 1 is 10; labels are 0 to 9", "test_batch.bin: label of record 2 is 255",
      "batches.meta.txt: class names is 2 lines",
    ] { #expect(error?.description.contains(part) == true, "\(part): \(String(describing: error))") }
  }

  @Test("the version for Python is refused with the name of the right one")
  func pythonVersion() {
    let folder = TemporaryFolder()
    folder.write([0x80, 2], "cifar-10-batches-py/data_batch_1")
    let error = #expect(throws: (any Error).self) { try CIFAR10.read(path: folder.path) }
    #expect("\(error!)".contains("cifar-10-binary.tar.gz"))
  }
}
