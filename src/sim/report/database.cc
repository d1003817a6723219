// The owners of SQLite's connection and statements (database.h).
#include "sim/report/database.h"

#include <sqlite3.h>

#include <cstring>
#include <utility>

namespace rocelab::sim {

namespace {

/// As a path in a `file:` URI, in which ?, # and % mean something.
std::string uri_of(const std::string& path) {
  static constexpr char kHex[] = "0123456789abcdef";
  // Two slashes at the beginning would name a host.
  std::string uri = path.starts_with("/") ? "file://" : "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      const auto byte = static_cast<unsigned char>(c);
      uri += '%';
      uri += kHex[byte >> 4];
      uri += kHex[byte & 15];
    } else {
      uri += c;
    }
  }
  return uri;
}

base::TextResult<sqlite3*> open_raw(const std::string& name, int flags) {
  sqlite3* raw = nullptr;
  const int status = sqlite3_open_v2(name.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (status == SQLITE_OK) return raw;
  std::string text = raw == nullptr ? "out of memory" : sqlite3_errmsg(raw);
  sqlite3_close(raw);
  return base::fail_text(std::move(text));
}

}  // namespace

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(raw_, other.raw_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(raw_); }

Statement& Statement::bind(int position, std::int64_t value) {
  sqlite3_bind_int64(raw_, position, value);
  return *this;
}

Statement& Statement::bind(int position, double value) {
  sqlite3_bind_double(raw_, position, value);
  return *this;
}

Statement& Statement::bind(int position, std::string_view value) {
  // A null pointer would bind NULL: an empty view may have one.
  const char* data = value.data() == nullptr ? "" : value.data();
  sqlite3_bind_text64(raw_, position, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_null(int position) {
  sqlite3_bind_null(raw_, position);
  return *this;
}

bool Statement::next() { return sqlite3_step(raw_) == SQLITE_ROW; }

bool Statement::run() {
  const int status = sqlite3_step(raw_);
  const int reset_status = sqlite3_reset(raw_);
  return (status == SQLITE_DONE || status == SQLITE_ROW) && reset_status == SQLITE_OK;
}

void Statement::reset() { sqlite3_reset(raw_); }

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(raw_, column); }

double Statement::real(int column) const { return sqlite3_column_double(raw_, column); }

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(raw_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(raw_, column))};
}

bool Statement::is_null(int column) const { return sqlite3_column_type(raw_, column) == SQLITE_NULL; }

int Statement::columns() const { return sqlite3_column_count(raw_); }

std::string_view Statement::name(int column) const { return sqlite3_column_name(raw_, column); }

Database& Database::operator=(Database&& other) noexcept {
  std::swap(raw_, other.raw_);
  return *this;
}

Database::~Database() { sqlite3_close_v2(raw_); }

base::TextResult<Database> Database::open_to_write(const std::string& path) {
  const auto raw = open_raw(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!raw) return base::fail_text(raw.error());
  return Database(*raw);
}

base::TextResult<Database> Database::open_to_read(const std::string& path) {
  // immutable: no lock and no journal, so that a file in a folder without write permission can be read.
  const auto raw = open_raw(uri_of(path) + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  if (!raw) return base::fail_text(raw.error());
  return Database(*raw);
}

base::TextResult<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(raw_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr) != SQLITE_OK) {
    return base::fail_text(error());
  }
  return Statement(statement);
}

base::TextResult<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(raw_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return base::fail_text(error());
  return {};
}

std::string Database::error() const {
  const int code = sqlite3_extended_errcode(raw_);
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return {};
  std::string text = sqlite3_errmsg(raw_);
  const int system = sqlite3_system_errno(raw_);
  if (system != 0 && (code & 0xff) != SQLITE_CONSTRAINT) text += std::string(" (") + std::strerror(system) + ")";
  return text;
}

bool Database::close() {
  const bool good = sqlite3_close(raw_) == SQLITE_OK;
  if (good) raw_ = nullptr;
  return good;
}

}  // namespace rocelab::sim
