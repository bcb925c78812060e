// Carries the precompiled header that the test programs share. No test of its own.
int main() { return 0; }
