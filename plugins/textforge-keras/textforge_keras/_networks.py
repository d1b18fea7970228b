"""The network of each architecture."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from textforge.architectures.conv import ARCHITECTURE as CONV
from textforge.architectures.lstm import ARCHITECTURE as LSTM
from textforge_keras._conv import ConvNetwork
from textforge_keras._lstm import LSTMNetwork
from textforge_keras._network import Network

NETWORKS: Mapping[str, type[Network]] = MappingProxyType({LSTM: LSTMNetwork, CONV: ConvNetwork})
