"""Replaying recorded trades."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import ReplayMarket
from tradeguard.simulator.recorded_trades import candles_of_trades
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start

HEADER = "timestamp,id,side,price,amount"


def written(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "trades.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def test_trades_make_candles_and_quiet_intervals_keep_the_price(tmp_path: Path) -> None:
    path = written(
        tmp_path, "60100,1,buy,10,1", "60100,2,sell,12,2", "119999,3,buy,9,0.5", "240000,4,buy,11,4"
    )
    numbers = [tuple(map(float, candle)) for candle in candles_of_trades(path, 60_000)]
    assert numbers == [
        (60_000, 10, 12, 9, 9, 3.5),
        (120_000, 9, 9, 9, 9, 0),
        (180_000, 9, 9, 9, 9, 0),
        (240_000, 11, 11, 11, 11, 4),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["60100,1,buy,10,1", "60000,2,buy,10,1"],
            "line 3, column 'timestamp': '60000' does not follow 60100",
        ),
        (["60100,1,buy,0,1"], "line 2, column 'price': 0 is not above 0"),
        (["60100,1,buy,10,-1"], "line 2, column 'amount': -1 is below 0"),
        (["60100,1,buy,ten,1"], "line 2, column 'price': 'ten' is not a number"),
        (["60100,1,buy,10"], "line 2: has 4 values, expected 5"),
        ([], "has no trades"),
    ],
)
def test_bad_line_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    path = written(tmp_path, *lines)
    with pytest.raises(ConfigurationException) as caught:
        ReplayMarket.from_trades(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_missing_column_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, header="timestamp,price")
    with pytest.raises(ConfigurationException, match="column 'amount' is missing"):
        ReplayMarket.from_trades(path)


def test_recorded_trades_are_replayed_with_all_their_volume(
    start: Start, connect: Connect, clock: ManualClock, shared_data: Path
) -> None:
    path = shared_data / "XRPETH-trades-2019-10.csv"
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    market = ReplayMarket.from_trades(path, "XRP/ETH", interval="5m")
    client = connect(start(market=market))
    clock.advance(2000)
    candles = client.fetch_ohlcv("XRP/ETH", "1s", limit=1000)
    assert len(candles) == len(market.rows)
    traded = sum(Decimal(line.split(",")[4]) for line in lines)
    assert sum(row[5] for row in market.rows) == traded
    assert sum(candle[5] for candle in candles) == pytest.approx(float(traded))
    assert candles[-1][4] == float(lines[-1].split(",")[3])
