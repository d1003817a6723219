// SQLite with owners: a connection and its prepared statements, closed when they go. Used by the results writer, the
// CSV export and the report; nothing else of the tree sees sqlite3.h. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace rocelab::sim {

/// A prepared statement: bind by position from 1, step, read columns from 0. Strings that are bound must live until the
/// step is done. The connection must outlive it.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* raw) : raw_(raw) {}
  Statement(Statement&& other) noexcept : raw_(other.raw_) { other.raw_ = nullptr; }
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  Statement& bind(int position, std::int64_t value);
  Statement& bind(int position, std::uint64_t value) { return bind(position, static_cast<std::int64_t>(value)); }
  Statement& bind(int position, std::uint32_t value) { return bind(position, static_cast<std::int64_t>(value)); }
  Statement& bind(int position, int value) { return bind(position, static_cast<std::int64_t>(value)); }
  Statement& bind(int position, double value);
  Statement& bind(int position, std::string_view value);
  Statement& bind_null(int position);
  template <class T>
  Statement& bind(int position, const std::optional<T>& value) {
    return value ? bind(position, *value) : bind_null(position);
  }

  /// True while there is a row; false at the end. An error ends the rows too: see Database::error().
  bool next();
  /// For statements without rows: runs it and makes it ready for the next binds. False when it failed.
  bool run();
  void reset();

  std::int64_t integer(int column) const;
  double real(int column) const;
  /// Valid until the next step.
  std::string_view text(int column) const;
  bool is_null(int column) const;
  int columns() const;
  std::string_view name(int column) const;

 private:
  sqlite3_stmt* raw_ = nullptr;
};

class Database {
 public:
  Database() = default;
  Database(Database&& other) noexcept : raw_(other.raw_) { other.raw_ = nullptr; }
  Database& operator=(Database&& other) noexcept;
  ~Database();

  static base::TextResult<Database> open_to_write(const std::string& path);
  /// The file is only read, however its folder may be protected; it must not change meanwhile.
  static base::TextResult<Database> open_to_read(const std::string& path);

  base::TextResult<Statement> prepare(std::string_view sql);
  /// Runs one or more statements.
  base::TextResult<void> execute(const std::string& sql);
  /// The last error as a sentence for people: "database or disk is full (No space left on device)". Empty: none.
  std::string error() const;
  /// Closes; false when that failed.
  bool close();

 private:
  explicit Database(sqlite3* raw) : raw_(raw) {}
  sqlite3* raw_ = nullptr;
};

}  // namespace rocelab::sim
