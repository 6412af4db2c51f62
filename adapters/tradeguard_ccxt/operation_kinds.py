"""What each method of ccxt's classes means, by its name: those of the unified API and those of single exchanges.

Written by hand. A test finds every coroutine of every class of the installed ccxt in exactly one of these groups, so
that a new ccxt with a method that is not known here does not pass.
"""

from __future__ import annotations

__all__ = ["IDEMPOTENT_WRITES", "NO_OPERATIONS", "OPERATIONS", "READS", "SIGN_INS", "STREAMS", "WRITES"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


READS = _names(
    """
    check_if_standard_tier estimate_tx_fee fetch_account fetch_account_helper fetch_account_id_by_type
    fetch_account_positions fetch_account_settings fetch_accounts fetch_accounts_v2 fetch_accounts_v3
    fetch_adl_rank fetch_all_greeks fetch_api_keys fetch_balance fetch_balance_ws fetch_bids_asks
    fetch_borrow_interest fetch_borrow_rate fetch_borrow_rate_histories fetch_borrow_rate_history
    fetch_builder_approvals fetch_canceled_and_closed_orders fetch_canceled_orders fetch_closed_contract_orders
    fetch_closed_order fetch_closed_orders fetch_closed_orders_ws fetch_closed_spot_orders
    fetch_contract_balance fetch_contract_deposit_address fetch_contract_deposits fetch_contract_markets
    fetch_contract_ohlcv fetch_contract_order fetch_contract_orders fetch_contract_orders_by_status
    fetch_contract_tickers fetch_contract_withdrawals fetch_convert_currencies fetch_convert_quote
    fetch_convert_trade fetch_convert_trade_history fetch_cross_borrow_rate fetch_cross_borrow_rates
    fetch_currencies fetch_currencies_from_cache fetch_currencies_from_web fetch_currencies_ws fetch_currency
    fetch_currency_by_id fetch_default_markets fetch_deposit fetch_deposit_address fetch_deposit_address_default
    fetch_deposit_address_supplement fetch_deposit_addresses fetch_deposit_addresses_by_network
    fetch_deposit_method_id fetch_deposit_method_ids fetch_deposit_methods fetch_deposit_withdraw_fee
    fetch_deposit_withdraw_fees fetch_deposits fetch_deposits_or_withdrawals_helper fetch_deposits_withdrawals
    fetch_deposits_ws fetch_derivatives_market_leverage_tiers fetch_derivatives_open_interest_history
    fetch_dydx_account fetch_extended_account fetch_free_balance fetch_funding_history fetch_funding_interval
    fetch_funding_intervals fetch_funding_limits fetch_funding_rate fetch_funding_rate_history
    fetch_funding_rates fetch_future_markets fetch_greeks fetch_hip3_markets fetch_index_ohlcv
    fetch_inverse_swap_markets fetch_isolated_borrow_rate fetch_isolated_borrow_rates fetch_l2_order_book
    fetch_l3_order_book fetch_last_prices fetch_latest_block_height fetch_ledger fetch_ledger_by_entries
    fetch_ledger_entries_by_ids fetch_ledger_entry fetch_leverage fetch_leverage_tiers fetch_leverages
    fetch_liquidations fetch_long_short_ratio fetch_long_short_ratio_history fetch_margin_adjustment_history
    fetch_margin_mode fetch_margin_modes fetch_mark_ohlcv fetch_mark_price fetch_mark_prices fetch_market
    fetch_market_by_id fetch_market_leverage_tiers fetch_markets fetch_markets_by_type
    fetch_markets_by_type_and_sub_type fetch_markets_from_api fetch_markets_from_cache fetch_markets_from_web
    fetch_markets_v1 fetch_markets_v2 fetch_markets_v3 fetch_markets_ws fetch_my_buys fetch_my_contract_trades
    fetch_my_dust_trades fetch_my_liquidations fetch_my_sells fetch_my_settlement_history fetch_my_spot_trades
    fetch_my_trades fetch_my_trades_ws fetch_my_uta_trades fetch_network_deposit_address fetch_nonce fetch_ohlcv
    fetch_ohlcv_ws fetch_open_interest fetch_open_interest_history fetch_open_interests fetch_open_order
    fetch_open_orders fetch_open_orders_v1 fetch_open_orders_v2 fetch_open_orders_ws fetch_open_spot_orders
    fetch_open_swap_orders fetch_option fetch_option_chain fetch_option_markets fetch_option_ohlcv
    fetch_option_positions fetch_option_underlyings fetch_order fetch_order_book fetch_order_book_snapshot
    fetch_order_book_ws fetch_order_books fetch_order_classic fetch_order_default fetch_order_status
    fetch_order_supplement fetch_order_trades fetch_order_with_client_order_id fetch_order_ws fetch_orders
    fetch_orders_by_ids fetch_orders_by_state fetch_orders_by_states fetch_orders_by_status
    fetch_orders_by_status_ws fetch_orders_by_type fetch_orders_classic fetch_orders_with_method fetch_orders_ws
    fetch_partial_balance fetch_payment_methods fetch_portfolio_details fetch_portfolios fetch_position
    fetch_position_adl_rank fetch_position_history fetch_position_mode fetch_position_ws fetch_positions
    fetch_positions_adl_rank fetch_positions_for_symbol fetch_positions_for_symbol_ws fetch_positions_history
    fetch_positions_risk fetch_positions_ws fetch_premium_index_ohlcv fetch_private_deposit_withdraw_fees
    fetch_private_trading_fee fetch_private_trading_fees fetch_private_transaction_fees
    fetch_public_deposit_withdraw_fees fetch_public_trading_fee fetch_public_trading_fees
    fetch_public_transaction_fees fetch_securities fetch_settlement_history fetch_spot_markets fetch_spot_ohlcv
    fetch_spot_order fetch_spot_order_trades fetch_spot_orders fetch_spot_orders_by_states
    fetch_spot_orders_by_status fetch_spot_tickers fetch_status fetch_stock_indicative_quote
    fetch_swap_and_future_markets fetch_swap_markets fetch_ticker fetch_ticker_2 fetch_ticker_v1
    fetch_ticker_v1_and_v2 fetch_ticker_v2 fetch_ticker_v3 fetch_ticker_ws fetch_tickers fetch_tickers_v2
    fetch_tickers_v3 fetch_tickers_ws fetch_time fetch_total_balance fetch_trades fetch_trades_ws
    fetch_trading_fee fetch_trading_fees fetch_trading_fees_ws fetch_trading_limits fetch_trading_limits_by_id
    fetch_transaction_fee fetch_transaction_fees fetch_transactions fetch_transactions_by_type
    fetch_transactions_helper fetch_transactions_with_method fetch_transfer fetch_transfers
    fetch_underlying_assets fetch_unified_order fetch_usdt_markets fetch_used_balance fetch_uta_balance
    fetch_uta_canceled_and_closed_orders fetch_uta_markets fetch_uta_order fetch_uta_orders_by_status
    fetch_utaohlcv fetch_volatility_history fetch_withdraw_addresses fetch_withdrawal fetch_withdrawal_whitelist
    fetch_withdrawals fetch_withdrawals_ws get_asset_history_rows get_leverage_tiers_paginated
    get_markets_paginated get_system_config get_withdraw_nonce internal_fetch_transfers is_unified_enabled
    is_uta_enabled load_account load_account_infos load_account_settings load_accounts load_leverage_brackets
    load_markets load_markets_and_sign_in load_migration_status load_time_difference load_trading_limits
    load_unified_status query_contracts query_transactions_by_event_type request_wallet_history_rows
    verify_gift_code
    """
)
"""Repeating one does nothing."""

STREAMS = _names(
    """
    un_watch_balance un_watch_bids_asks un_watch_funding_rate un_watch_funding_rates un_watch_mark_price
    un_watch_mark_prices un_watch_my_trades un_watch_ohlcv un_watch_ohlcv_for_symbols un_watch_order_book
    un_watch_order_book_for_symbols un_watch_orders un_watch_positions un_watch_ticker un_watch_tickers
    un_watch_trades un_watch_trades_for_symbols watch_balance watch_bids_asks watch_funding_rate
    watch_funding_rates watch_funding_rates_for_symbols watch_liquidations watch_liquidations_for_symbols
    watch_mark_price watch_mark_prices watch_my_liquidations watch_my_liquidations_for_symbols watch_my_trades
    watch_my_trades_for_symbols watch_ohlcv watch_ohlcv_for_symbols watch_order_book
    watch_order_book_for_symbols watch_orders watch_orders_for_symbols watch_position watch_position_for_symbols
    watch_positions watch_ticker watch_tickers watch_trades watch_trades_for_symbols
    """
)
"""Reads that wait for messages of a websocket, and the ends of such reads."""

SIGN_INS = _names(
    """
    authenticate_rest authenticate_v2 onboarding sign_in sign_in_with_api_key sign_in_with_private_key
    """
)
"""Idempotent writes that make a session: a matter of the account, not of trading."""

IDEMPOTENT_WRITES = _names(
    """
    approve_builder_fee cancel_all_contract_orders cancel_all_orders cancel_all_orders_after
    cancel_all_orders_ws cancel_all_spot_orders cancel_all_uta_orders cancel_contract_order cancel_order
    cancel_order_with_client_order_id cancel_order_ws cancel_orders cancel_orders_for_symbols
    cancel_orders_with_client_order_ids cancel_orders_ws cancel_spot_order cancel_twap_order
    cancel_unified_order cancel_uta_order cancel_uta_orders set_contract_leverage set_leverage set_margin
    set_margin_mode set_position_mode set_ref
    """
)
"""Repeating one does nothing more than the first time did."""

WRITES = _names(
    """
    accept_rfq_quote add_margin approve_builder_code bind_agent_wallet borrow_cross_margin
    borrow_isolated_margin borrow_margin change_api_key close_all_positions close_position
    convert_currency_network create_api_key create_contract_order create_contract_orders create_convert_trade
    create_deposit_address create_gift_code create_limit_buy_order create_limit_buy_order_ws create_limit_order
    create_limit_order_ws create_limit_sell_order create_limit_sell_order_ws create_market_buy_order
    create_market_buy_order_with_cost create_market_buy_order_ws create_market_order
    create_market_order_with_cost create_market_order_with_cost_ws create_market_order_ws
    create_market_sell_order create_market_sell_order_with_cost create_market_sell_order_ws create_order
    create_order_with_take_profit_and_stop_loss create_order_with_take_profit_and_stop_loss_ws create_order_ws
    create_orders create_orders_ws create_post_only_order create_post_only_order_ws create_proxy_credentials
    create_reduce_only_order create_reduce_only_order_ws create_rfq_order create_spot_order create_spot_orders
    create_stop_limit_order create_stop_limit_order_ws create_stop_loss_order create_stop_loss_order_ws
    create_stop_market_order create_stop_market_order_ws create_stop_order create_stop_order_ws
    create_sub_account create_swap_order create_take_profit_order create_take_profit_order_ws
    create_trailing_amount_order create_trailing_amount_order_ws create_trailing_percent_order
    create_trailing_percent_order_ws create_trigger_order create_trigger_order_ws create_twap_order
    create_uta_order create_uta_orders create_vault deposit edit_contract_order edit_limit_buy_order
    edit_limit_order edit_limit_sell_order edit_order edit_order_with_client_order_id edit_order_ws edit_orders
    edit_spot_order enable_user_dex_abstraction futures_transfer modify_leverage_and_margin_mode
    modify_margin_helper redeem_gift_code reduce_margin repay_cross_margin repay_isolated_margin repay_margin
    reserve_request_weight revoke_api_key revoke_builder_code set_agent_abstraction set_user_abstraction
    transfer transfer_between_main_and_sub_account transfer_between_sub_accounts transfer_classic transfer_in
    transfer_out transfer_uta upgrade_unified_trade_account withdraw withdraw_ws
    """
)
"""Repeating one does the same thing once more."""

NO_OPERATIONS = _names(
    """
    authenticate authenticate_uta cancel_all_orders_request cancel_order_request cancel_orders_request close
    close_connector close_proxy_sessions close_ws_clients create_advanced_order_request create_auth
    create_auth_token create_ccxt_trade_id create_contract_order_request create_edit_order_request
    create_expired_option_market create_extended_order_request create_ohlcv_object create_order_appendix
    create_order_id_from_parts create_order_nonce create_order_request create_order_settlement_data
    create_orders_request create_public_request create_public_subscription_request create_regular_order_request
    create_safe_dictionary create_signed_request create_spot_order_request create_subaccount
    create_swap_order_request create_tpsl_order_request create_transfer_settlement_data
    create_trigger_order_request create_uta_order_request create_withdrawal_settlement_data create_ws_auth
    deposit_withdraw_fee disable_heartbeat edit_contract_order_request edit_order_request edit_orders_request
    edit_spot_order_request ensure_user_data_stream_ws_subscribe_listen_token
    ensure_user_data_stream_ws_subscribe_signature expire_pending_unsubscribe fetch fetch2
    fetch_balance_snapshot fetch_deposits_request fetch_fees fetch_my_trades_request fetch_ohlcv_request
    fetch_order_request fetch_orders_request fetch_paginated_call_cursor fetch_paginated_call_deterministic
    fetch_paginated_call_dynamic fetch_paginated_call_incremental fetch_rest_order_book_safe fetch_web_endpoint
    fetch_withdrawals_request find_account_id get_account_id get_cancel_on_disconnect get_listen_key
    get_url_by_market_type get_uta_url handle_account_index handle_builder_fee_approval handle_check_sum_error
    handle_heartbeat handle_ping handle_token handle_uta_and_params helper_for_watch_multiple_construct
    initialize_client keep_alive_listen_key load_balance_snapshot load_dydx_protos load_lighter_library
    load_lighter_library_helper load_markets_helper load_order_book load_position_snapshot
    load_positions_snapshot load_proxy_credentials logout_ws negotiate negotiate_helper pong
    pre_load_lighter_library prepare_account_request_with_currency_code prepare_paradex_domain
    prepare_ws_stock_params renew_listen_token request request_private request_ws resubscribe_order_book
    retrieve_account safe_deterministic_call set_cancel_on_disconnect set_heartbeat set_markets
    sign_and_cancel_all_orders sign_and_cancel_order sign_and_create_order sign_order_request sign_perps_op
    sleep subscribe subscribe_multiple subscribe_private subscribe_private_uta subscribe_public
    subscribe_public_multiple subscribe_public_multiple_uta subscribe_public_uta
    subscribe_watch_tickers_and_bids_asks subscribe_ws_tickers throttle trade_request un_subscribe
    un_subscribe_multiple un_subscribe_public_multiple un_watch un_watch_channel un_watch_channels
    un_watch_private un_watch_public un_watch_public_multiple un_watch_topics unsubscribe unsubscribe_all_ws
    unsubscribe_public unwatch_public wait_for_pending_unsubscribe watch watch_execute_request watch_heartbeat
    watch_many watch_multi_helper watch_multi_ticker_helper watch_multiple watch_multiple_subscription
    watch_multiple_wrapper watch_order_book_snapshot watch_private watch_private_multiple watch_private_request
    watch_private_subscribe watch_public watch_public_multiple watch_request watch_spot_private
    watch_spot_public watch_stock_market_stream watch_swap_private watch_swap_public watch_topics
    watch_uta_tickers wath_public withdraw_request
    """
)
"""Parts of operations, plumbing, and methods that ask the exchange nothing; the operation around them counts."""

OPERATIONS = READS | STREAMS | SIGN_INS | IDEMPOTENT_WRITES | WRITES
"""Whatever asks the exchange something."""
