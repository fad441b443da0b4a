"""What each method does once a call is allowed: find, judge, draft."""
