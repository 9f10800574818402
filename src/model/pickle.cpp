#include "model/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/unicode.h"
#include "model/describe.h"
#include "model/pickle_opcodes.h"
#include "sgpt/error.h"

namespace sgpt {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;
constexpr std::size_t kLongestName = 1000;  // of a module or a global
constexpr std::size_t kMostMarks = 10'000;
constexpr std::size_t kMemoEntryBytes = 64;

std::string_view noun_of(PickleKind kind) {
  switch (kind) {
    case PickleKind::text: return "a text";
    case PickleKind::bytes: return "bytes";
    case PickleKind::tuple: return "a tuple";
    case PickleKind::list: return "a list";
    case PickleKind::dict: return "a dict";
    case PickleKind::global: return "a global";
    case PickleKind::object: return "an object";
  }
  return "a value";
}

}  // namespace

const PickleNode* node_of(const PickleValue& value, PickleKind kind) {
  PickleNode* const* node = std::get_if<PickleNode*>(&value);
  return node && (*node)->kind == kind ? *node : nullptr;
}

std::string shown(const PickleValue& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "True" : "False";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (std::holds_alternative<std::monostate>(value)) return "None";
  const PickleNode& node = *std::get<PickleNode*>(value);
  if (node.kind == PickleKind::text || node.kind == PickleKind::global || node.kind == PickleKind::object) {
    return fmt::format("{} {}", noun_of(node.kind), shown(std::string_view(node.text)));
  }
  return std::string(noun_of(node.kind));
}

// --- what a reader refuses by default
// ---------------------------------------------------------------------------------

bool PickleReader::knows(std::string_view) const { return false; }

PickleValue PickleReader::call(PickleMachine& machine, std::string_view global, std::span<const PickleValue>) {
  machine.fail(fmt::format("a call of {} is refused", shown(global)));
}

PickleValue PickleReader::persistent(PickleMachine& machine, const PickleValue&) {
  machine.fail("a persistent id is refused");
}

bool PickleReader::take(const PickleValue&, const PickleValue&) { return false; }

// --- the machine
// ------------------------------------------------------------------------------------------------------

PickleMachine::PickleMachine(Source source, PickleReader& reader, std::string place, std::size_t memory_limit)
    : source_(std::move(source)),
      reader_(reader),
      place_(std::move(place)),
      memory_left_(memory_limit),
      buffer_(kBufferBytes) {}

void PickleMachine::fail(std::string_view problem) const {
  throw UserError(fmt::format("{}: byte {}: {}", place_, consumed_ + next_, problem));
}

PickleValue PickleMachine::run() {
  if (byte() != opcode::kProto) fail("not a pickle of protocol 2 to 5: it does not begin with PROTO");
  if (const std::uint8_t protocol = byte(); protocol < 2 || protocol > 5) {
    fail(fmt::format("pickle protocol {} is not supported; expected 2 to 5", protocol));
  }
  for (;;) {
    const std::uint8_t code = byte();
    if (code == opcode::kStop) break;
    if (!constant(code) && !text(code) && !container(code) && !memo(code) && !special(code)) {
      fail(fmt::format("the pickle opcode {} is refused: files of this kind do not need it", opcode::name_of(code)));
    }
  }
  if (!marks_.empty() || stack_.size() != 1) fail("the pickle ends with open parts");
  return stack_.front();
}

PickleValue PickleMachine::make(PickleKind kind, std::string text, std::size_t object) {
  charge(sizeof(PickleNode) + text.size());
  nodes_.push_back({kind, std::move(text), {}, object});
  return &nodes_.back();
}

void PickleMachine::charge(std::size_t bytes) {
  if (bytes > memory_left_) fail("the pickle's values take more memory than files of this kind need");
  memory_left_ -= bytes;
}

bool PickleMachine::constant(std::uint8_t code) {
  switch (code) {
    case opcode::kNone: push(std::monostate{}); return true;
    case opcode::kNewTrue: push(true); return true;
    case opcode::kNewFalse: push(false); return true;
    case opcode::kBinInt: push(static_cast<std::int64_t>(static_cast<std::int32_t>(little_endian(4)))); return true;
    case opcode::kBinInt1: push(static_cast<std::int64_t>(little_endian(1))); return true;
    case opcode::kBinInt2: push(static_cast<std::int64_t>(little_endian(2))); return true;
    case opcode::kLong1: push(long_integer()); return true;
    case opcode::kBinFloat: {  // big-endian, alone among the numbers
      std::uint64_t bits = 0;
      for (int i = 0; i < 8; ++i) bits = bits << 8 | byte();
      push(std::bit_cast<double>(bits));
      return true;
    }
    default: return false;
  }
}

bool PickleMachine::text(std::uint8_t code) {
  int length_bytes = 0;
  PickleKind kind = PickleKind::text;
  switch (code) {
    case opcode::kShortBinUnicode: length_bytes = 1; break;
    case opcode::kBinUnicode: length_bytes = 4; break;
    case opcode::kBinUnicode8: length_bytes = 8; break;
    case opcode::kShortBinBytes: length_bytes = 1, kind = PickleKind::bytes; break;
    case opcode::kBinBytes: length_bytes = 4, kind = PickleKind::bytes; break;
    default: return false;
  }
  std::string content = string_of(little_endian(length_bytes));
  if (kind == PickleKind::text && invalid_utf8(content)) fail("a text is no valid UTF-8");
  push(make(kind, std::move(content)));
  return true;
}

bool PickleMachine::container(std::uint8_t code) {
  switch (code) {
    case opcode::kMark:
      if (marks_.size() >= kMostMarks) fail("the pickle is nested too deeply");
      marks_.push_back(stack_.size());
      return true;
    case opcode::kEmptyTuple: push(make(PickleKind::tuple)); return true;
    case opcode::kEmptyList: push(make(PickleKind::list)); return true;
    case opcode::kEmptyDict: push(make(PickleKind::dict)); return true;
    case opcode::kTuple1: make_tuple(1); return true;
    case opcode::kTuple2: make_tuple(2); return true;
    case opcode::kTuple3: make_tuple(3); return true;
    case opcode::kTuple: {
      std::vector<PickleValue> items = pop_to_mark();
      const PickleValue tuple = make(PickleKind::tuple);
      std::get<PickleNode*>(tuple)->items = std::move(items);
      push(tuple);
      return true;
    }
    case opcode::kAppend: {
      const PickleValue item = pop();
      top(PickleKind::list, "APPEND").items.push_back(item);
      return true;
    }
    case opcode::kAppends: {
      const std::vector<PickleValue> items = pop_to_mark();
      PickleNode& list = top(PickleKind::list, "APPENDS");
      list.items.insert(list.items.end(), items.begin(), items.end());
      return true;
    }
    case opcode::kSetItem: {
      const PickleValue value = pop();
      const PickleValue key = pop();
      set_items({key, value});
      return true;
    }
    case opcode::kSetItems: set_items(pop_to_mark()); return true;
    default: return false;
  }
}

bool PickleMachine::memo(std::uint8_t code) {
  switch (code) {
    case opcode::kBinPut: remember(little_endian(1)); return true;
    case opcode::kLongBinPut: remember(little_endian(4)); return true;
    case opcode::kMemoize: remember(memo_.size()); return true;
    case opcode::kBinGet: recall(little_endian(1)); return true;
    case opcode::kLongBinGet: recall(little_endian(4)); return true;
    default: return false;
  }
}

bool PickleMachine::special(std::uint8_t code) {
  switch (code) {
    case opcode::kFrame: little_endian(8); return true;  // how many bytes follow in one piece: of no use here
    case opcode::kPop: pop(); return true;
    case opcode::kPopMark: pop_to_mark(); return true;
    case opcode::kGlobal: {
      const std::string module = line();
      global(module + "." + line());
      return true;
    }
    case opcode::kStackGlobal: {
      const PickleValue name = pop();
      const PickleValue module = pop();
      const PickleNode* name_text = node_of(name, PickleKind::text);
      const PickleNode* module_text = node_of(module, PickleKind::text);
      if (!name_text || !module_text) fail("STACK_GLOBAL: expected two texts");
      global(module_text->text + "." + name_text->text);
      return true;
    }
    case opcode::kBinPersId: push(reader_.persistent(*this, pop())); return true;
    case opcode::kReduce: reduce(); return true;
    case opcode::kBuild: build(); return true;
    default: return false;
  }
}

// --- input
// ------------------------------------------------------------------------------------------------------------

std::uint8_t PickleMachine::byte() {
  if (next_ == filled_) {
    consumed_ += filled_;
    next_ = 0;
    filled_ = std::min(source_(buffer_), buffer_.size());
    if (filled_ == 0) fail("truncated: the pickle ends before its STOP");
  }
  return static_cast<std::uint8_t>(buffer_[next_++]);
}

std::uint64_t PickleMachine::little_endian(int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) value |= std::uint64_t{byte()} << (8 * i);
  return value;
}

std::string PickleMachine::string_of(std::uint64_t length) {
  if (length > memory_left_) fail(fmt::format("a text of {} bytes is longer than files of this kind need", length));
  std::string result;  // grows with what is really there: the length may lie
  while (result.size() < length) {
    result += static_cast<char>(byte());
    const std::size_t more = std::min<std::size_t>(length - result.size(), filled_ - next_);
    result.append(reinterpret_cast<const char*>(buffer_.data()) + next_, more);
    next_ += more;
  }
  return result;
}

std::string PickleMachine::line() {
  std::string result;
  for (char c = static_cast<char>(byte()); c != '\n'; c = static_cast<char>(byte())) {
    if (result.size() >= kLongestName) fail("the name of a global is too long");
    result += c;
  }
  return result;
}

std::int64_t PickleMachine::long_integer() {
  const int count = byte();
  if (count > 8) fail("an integer of more than 64 bits");
  std::uint64_t bits = little_endian(count);
  if (count > 0 && count < 8 && (bits >> (8 * count - 1)) != 0) bits |= ~std::uint64_t{0} << (8 * count);  // negative
  return static_cast<std::int64_t>(bits);
}

// --- the stack
// --------------------------------------------------------------------------------------------------------

void PickleMachine::push(PickleValue value) {
  charge(sizeof(PickleValue));  // it ends in some node, at the latest
  stack_.push_back(value);
}

PickleValue PickleMachine::pop() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail("the pickle takes a value that is not there");
  const PickleValue value = stack_.back();
  stack_.pop_back();
  return value;
}

std::vector<PickleValue> PickleMachine::pop_to_mark() {
  if (marks_.empty()) fail("the pickle closes a part that it never opened");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleValue> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

PickleNode& PickleMachine::top(PickleKind kind, const char* what) {
  const bool there = stack_.size() > (marks_.empty() ? 0 : marks_.back());
  if (!there || !node_of(stack_.back(), kind)) fail(fmt::format("{}: expected {} to add to", what, noun_of(kind)));
  return *std::get<PickleNode*>(stack_.back());
}

void PickleMachine::make_tuple(std::size_t count) {
  std::vector<PickleValue> items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = pop();
  const PickleValue tuple = make(PickleKind::tuple);
  std::get<PickleNode*>(tuple)->items = std::move(items);
  push(tuple);
}

void PickleMachine::set_items(std::vector<PickleValue> items) {
  if (items.size() % 2 != 0) fail("a dict gets a key without a value");
  PickleNode& dict = top(PickleKind::dict, "SETITEMS");
  const bool outermost = stack_.size() == 1;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    if (!outermost || !reader_.take(items[i], items[i + 1])) {
      dict.items.insert(dict.items.end(), {items[i], items[i + 1]});
      continue;
    }
    memory_left_ += 2 * sizeof(PickleValue);
    if (PickleNode* const* node = std::get_if<PickleNode*>(&items[i + 1]); node && !(*node)->taken) {
      memory_left_ += (*node)->items.size() * sizeof(PickleValue);
      std::vector<PickleValue>().swap((*node)->items);
      (*node)->taken = true;
    }
  }
}

void PickleMachine::remember(std::uint64_t slot) {
  if (stack_.empty()) fail("the pickle remembers a value that is not there");
  charge(kMemoEntryBytes);
  memo_[slot] = stack_.back();
}

void PickleMachine::recall(std::uint64_t slot) {
  const auto found = memo_.find(slot);
  if (found == memo_.end()) fail(fmt::format("the pickle recalls value {}, which it never remembered", slot));
  PickleNode* const* node = std::get_if<PickleNode*>(&found->second);
  if (node && (*node)->taken) fail(fmt::format("the pickle recalls value {}, which was read as a stream", slot));
  push(found->second);
}

// --- globals and calls
// ------------------------------------------------------------------------------------------------

void PickleMachine::global(const std::string& name) {
  if (!reader_.knows(name)) {
    fail(fmt::format("the pickle asks for {}, which files of this kind do not need: refused, nothing was executed",
                     shown(std::string_view(name))));
  }
  push(make(PickleKind::global, name));
}

void PickleMachine::reduce() {
  const PickleValue arguments = pop();
  const PickleValue callable = pop();
  const PickleNode* tuple = node_of(arguments, PickleKind::tuple);
  const PickleNode* function = node_of(callable, PickleKind::global);
  if (!function || !tuple) fail(fmt::format("REDUCE: expected a global and a tuple, found {}", shown(callable)));
  push(reader_.call(*this, function->text, tuple->items));
}

void PickleMachine::build() {
  const PickleValue state = pop();
  // The attributes of an OrderedDict (torch puts version numbers there) say nothing about its entries.
  top(PickleKind::dict, "BUILD");
  if (!node_of(state, PickleKind::dict)) fail(fmt::format("BUILD: expected a dict, found {}", shown(state)));
}

PickleMachine::Source pickle_source(std::span<const std::byte> bytes) {
  return [bytes, position = std::size_t{0}](std::span<std::byte> target) mutable {
    const std::size_t count = std::min(target.size(), bytes.size() - position);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(position), count, target.begin());
    position += count;
    return count;
  };
}

}  // namespace sgpt
