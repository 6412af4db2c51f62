"""A local exchange to test bots with: protocols of Binance, spot and futures, and Kraken; engine, markets, faults."""

from tradeguard.simulator.audit import Audit
from tradeguard.simulator.binance import SocketRecord
from tradeguard.simulator.events import OrderEvent, OrderEventKind
from tradeguard.simulator.exchange import SimulatedExchange
from tradeguard.simulator.fault_plan import FaultPlan
from tradeguard.simulator.faults import EndpointGroup, Fault, FaultKind, Phase
from tradeguard.simulator.ledger import Balance
from tradeguard.simulator.orders import OrderRecord, OrderStatus, Trade
from tradeguard.simulator.positions import Position
from tradeguard.simulator.replay import ReplayMarket
from tradeguard.simulator.request_log import RequestRecord
from tradeguard.simulator.stream_faults import StreamFault, StreamFaultKind, StreamGroup
from tradeguard.simulator.synthetic import SyntheticMarket
from tradeguard.simulator.venue import Payout, PayoutKind

__all__ = [
    "Audit",
    "Balance",
    "EndpointGroup",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "OrderEvent",
    "OrderEventKind",
    "OrderRecord",
    "OrderStatus",
    "Payout",
    "PayoutKind",
    "Phase",
    "Position",
    "ReplayMarket",
    "RequestRecord",
    "SimulatedExchange",
    "SocketRecord",
    "StreamFault",
    "StreamFaultKind",
    "StreamGroup",
    "SyntheticMarket",
    "Trade",
]
