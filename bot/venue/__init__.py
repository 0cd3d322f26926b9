"""The venue room: the only one that knows ccxt. Commands come in, events go out, and nothing else crosses.

`venue.Venue` opens an exchange in one environment; it makes the `AccountGateway` (commands of one account),
the `MarkFeed` (mark prices) and the `OrderStream` (news of our orders). What differs between exchanges is in
one profile each (`profiles`). ccxt is imported when the first client is made, not before.
"""
