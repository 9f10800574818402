// A machine for Python pickles that executes nothing: a closed list of opcodes builds plain values, and every global
// that a pickle asks for goes by name to a PickleReader, which knows the few that its kind of file needs and refuses
// the rest. It reads a stream and keeps no more than the values; memory is bounded, and there is no recursion on the
// input. (The opcodes are those of Python's pickletools, protocols 2 to 4.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace sgpt {

struct PickleNode;

/// None, a bool, an integer, a float, or a node of the machine that made it.
using PickleValue = std::variant<std::monostate, bool, std::int64_t, double, PickleNode*>;

enum class PickleKind { text, bytes, tuple, list, dict, global, object };

struct PickleNode {
  PickleKind kind;
  std::string text;                // text and bytes; "module.name" of a global; the class of an object
  std::vector<PickleValue> items;  // of a tuple or list; a dict's keys and values in turn
  std::size_t object = 0;          // an object's number in the reader's own table
  bool taken = false;              // its items were handed to the reader and are gone
};

/// The node of that kind behind a value, or null.
const PickleNode* node_of(const PickleValue& value, PickleKind kind);
/// "the text \"query\"", "a dict", "None": for messages.
std::string shown(const PickleValue& value);

class PickleMachine;

/// What one kind of file may ask for. The defaults refuse, naming what was asked.
class PickleReader {
 public:
  virtual ~PickleReader() = default;

  /// May the pickle name this global ("collections.OrderedDict")? Naming one does nothing by itself.
  virtual bool knows(std::string_view global) const;
  /// What a known global, called with these arguments, stands for.
  virtual PickleValue call(PickleMachine& machine, std::string_view global, std::span<const PickleValue> arguments);
  /// What a persistent id stands for.
  virtual PickleValue persistent(PickleMachine& machine, const PickleValue& id);
  /// An entry of the outermost dict. True: it was used and is not kept, so that a file larger than memory can be read.
  virtual bool take(const PickleValue& key, const PickleValue& value);
};

class PickleMachine {
 public:
  /// Fills the span with the next bytes and returns how many; 0 at the end.
  using Source = std::function<std::size_t(std::span<std::byte>)>;

  /// `place` opens every message (a path). The values together never take more than about `memory_limit` bytes.
  PickleMachine(Source source, PickleReader& reader, std::string place,
                std::size_t memory_limit = std::size_t{1} << 28);
  PickleMachine(const PickleMachine&) = delete;
  PickleMachine& operator=(const PickleMachine&) = delete;

  /// The value of the whole pickle; it lives as long as the machine. Throws UserError, naming the byte, on anything
  /// that is broken, not known or too large. To be called once.
  PickleValue run();

  /// A new value, for the reader's answers.
  PickleValue make(PickleKind kind, std::string text = {}, std::size_t object = 0);

  /// Throws the UserError "PLACE: byte N: PROBLEM".
  [[noreturn]] void fail(std::string_view problem) const;

 private:
  // Groups of opcodes; false when `opcode` is not of the group.
  bool constant(std::uint8_t opcode);
  bool text(std::uint8_t opcode);
  bool container(std::uint8_t opcode);
  bool memo(std::uint8_t opcode);
  bool special(std::uint8_t opcode);

  std::uint8_t byte();
  std::uint64_t little_endian(int count);
  std::string string_of(std::uint64_t length);
  std::string line();
  std::int64_t long_integer();

  void push(PickleValue value);
  PickleValue pop();
  std::vector<PickleValue> pop_to_mark();
  PickleNode& top(PickleKind kind, const char* what);
  void make_tuple(std::size_t count);
  void set_items(std::vector<PickleValue> items);
  void remember(std::uint64_t slot);
  void recall(std::uint64_t slot);
  void global(const std::string& name);
  void reduce();
  void build();
  void charge(std::size_t bytes);

  Source source_;
  PickleReader& reader_;
  std::string place_;
  std::size_t memory_left_;

  std::vector<std::byte> buffer_;
  std::size_t next_ = 0;        // in buffer_
  std::size_t filled_ = 0;      // bytes of buffer_
  std::uint64_t consumed_ = 0;  // bytes before the buffer

  std::deque<PickleNode> nodes_;
  std::vector<PickleValue> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack at each open mark
  std::unordered_map<std::uint64_t, PickleValue> memo_;
};

/// A source over bytes in memory, which must outlive it.
PickleMachine::Source pickle_source(std::span<const std::byte> bytes);

}  // namespace sgpt
