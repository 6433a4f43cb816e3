from benchmark_tasks.cli import main

main()
