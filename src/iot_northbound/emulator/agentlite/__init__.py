"""The AgentLite port (8943): binding, login, and what gateways say about the devices behind them, over HTTPS."""
