"""RocksDB's options, in RocksDB's own text format, with the reason for each that is not the default.

The binding offers setters for some options only, not for `manual_wal_flush`, `allow_fallocate` or the level of the
information log; but it can load the file in which RocksDB keeps options. So that file is what is written here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rocksdict import Cache, Env, Options

from kvorum.node.store import Family

# Of the file's format: RocksDB refuses to load what is newer than itself.
_VERSION: Final = """\
[Version]
  rocksdb_version=9.8.4
  options_file_version=1.1
"""

# allow_fallocate: preallocation hides free space, and made no sync faster (ext4, 210 µs either way).
# recycle_log_file_num: a log that is written over does not grow, so its fsync needs no journal commit of the file
#   system: 315 -> 188 µs on ext4. Its records carry the log's number; what is left of an older log ends it.
# write_buffer_size: whichever family reaches it first has all of them flushed. Not db_write_buffer_size, which
#   counts memtables whose flush has failed and then starts a new one with every write.
# max_write_buffer_number, level0_*: RocksDB throttles late; is_congested comes first.
# max_bytes_for_level_base: what level 0 holds when it is compacted, four flushes. Together with files of one flush
#   it bounds what one compaction writes, which disk_guard's reserve must hold: 12 flushes of one family.
# Logs of RocksDB's doings: warnings and worse, in at most 4 files of 1 MiB.
_DATABASE: Final = """\
[DBOptions]
  create_if_missing=true
  create_missing_column_families=true
  manual_wal_flush=true
  wal_recovery_mode=kPointInTimeRecovery
  recycle_log_file_num=4
  atomic_flush=true
  avoid_flush_during_recovery=false
  allow_fallocate=false
  allow_concurrent_memtable_write=false
  enable_write_thread_adaptive_yield=false
  max_background_jobs=2
  max_open_files={max_open_files}
  max_file_opening_threads=2
  max_manifest_file_size=16777216
  stats_dump_period_sec=0
  stats_persist_period_sec=0
  info_log_level=WARN_LEVEL
  max_log_file_size=1048576
  keep_log_file_num=4
"""

_FAMILY: Final = """\
[CFOptions "{name}"]
  write_buffer_size={family_buffer_bytes}
  max_write_buffer_number={memtables_stop}
  compression=kLZ4Compression
  max_bytes_for_level_base={level_base_bytes}
  target_file_size_base={family_buffer_bytes}
  level0_slowdown_writes_trigger={level0_files_slow}
  level0_stop_writes_trigger={level0_files_stop}
  soft_pending_compaction_bytes_limit=0
  hard_pending_compaction_bytes_limit=0
{more}[TableOptions/BlockBasedTable "{name}"]
  format_version=6
{table}
"""

# Read by exact key: a filter per table and per memtable for the keys that are not there, and a hash index in each
# block for those that are.
_POINT_READS: Final = """\
  memtable_whole_key_filtering=true
  memtable_prefix_bloom_size_ratio=0.02
"""
_POINT_TABLE: Final = """\
  filter_policy=bloomfilter:10:false
  block_size=4096
  data_block_index_type=kDataBlockBinaryAndHash"""
# Read in order, from a position: larger blocks compress better, a filter is never asked.
_SEQUENTIAL_TABLE: Final = """\
  block_size=16384"""

_FAMILIES: Final = {
    Family.LOG: ("", _SEQUENTIAL_TABLE),
    Family.DATA: (_POINT_READS, _POINT_TABLE),
    Family.CHANGES: ("", _SEQUENTIAL_TABLE),
    Family.META: (_POINT_READS, _POINT_TABLE),
}

# A write of an item goes to the log, the items and the changes in about equal parts, and little to META.
_FAMILIES_THAT_GROW: Final = 3

LEVEL0_FILES_SLOW: Final = 48
_LEVEL0_FILES_STOP: Final = 64
# Memtables of a family that wait to be flushed; RocksDB begins to throttle at one less.
_MEMTABLES_STOP: Final = 6


def load_options(
    directory: Path, *, write_buffer_bytes: int, block_cache_bytes: int, max_open_files: int
) -> tuple[Options, dict[str, Options]]:
    """The database's options and its column families', by name; `directory` keeps the text.

    Raises OSError if the text cannot be written.
    """
    text = _VERSION + _DATABASE.format(max_open_files=max_open_files)
    # RocksDB wants this family to exist and to come first; nothing is kept in it.
    text += '[CFOptions "default"]\n  write_buffer_size=65536\n[TableOptions/BlockBasedTable "default"]\n'
    for family in Family:
        more, table = _FAMILIES[family]
        text += _FAMILY.format(
            name=family.name.lower(),
            family_buffer_bytes=write_buffer_bytes // _FAMILIES_THAT_GROW,
            memtables_stop=_MEMTABLES_STOP,
            level_base_bytes=4 * write_buffer_bytes // _FAMILIES_THAT_GROW,
            level0_files_slow=LEVEL0_FILES_SLOW,
            level0_files_stop=_LEVEL0_FILES_STOP,
            more=more,
            table=table,
        )
    _write_if_different(directory / "OPTIONS-000001", text)
    # The binding's own file: keys and values are bytes, not tagged Python objects.
    _write_if_different(directory / "rocksdict-config.json", '{"raw_mode":true,"prefix_extractors":{}}')
    options, families = Options.load_latest(os.fspath(directory), Env(), False, Cache(block_cache_bytes))
    return options, {name: each for name, each in families.items() if name != "default"}


def _write_if_different(path: Path, text: str) -> None:
    """Opening an existing store on a full disk must not fail for lack of room for what is there already."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
