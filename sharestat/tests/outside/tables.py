"""Asks the questions on standard input, as JSON, of the tables in this folder."""
import json
import sys

import duckdb

answers = [duckdb.sql(question).fetchall() for question in json.load(sys.stdin)]
[(header,)] = duckdb.sql(
    "SELECT value FROM parquet_kv_metadata('pages.parquet') WHERE key = 'sharestat'"
).fetchall()
json.dump({"answers": answers, "header": json.loads(header)}, sys.stdout, default=float)
