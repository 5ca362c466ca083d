"""OSCQuery: tells other programs what there is to turn, over HTTP and WebSocket (Vidvox proposal).

https://github.com/Vidvox/OSCQueryProposal
"""
