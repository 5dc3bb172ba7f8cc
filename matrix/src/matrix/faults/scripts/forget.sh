# All is well again: the timer need not come, and nothing is left behind.
systemctl stop "matrix-heal-$EVENT.timer" 2>/dev/null || true
rm -rf "$STATE"
rmdir /run/matrix 2>/dev/null || true
