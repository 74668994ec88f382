"""Real ticketing systems in folders of their own, each behind the same few verbs, so that one scenario is played on all of them."""
